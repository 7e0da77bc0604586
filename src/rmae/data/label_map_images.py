"""Label maps that are kept as images."""

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from rmae.regions.source import NO_REGION

_FORMATS = ("PNG", "TIFF")  # the datasets library writes 16-bit and palette images as TIFF
_NO_REGION_VALUES = {"1": NO_REGION, "L": 255, "P": 255, "I;16": 65535, "I;16B": 65535, "I": NO_REGION}


def read_label_map(encoded: bytes, what: str, max_pixels: int) -> np.ndarray:
    """Decode a label map.

    Args:
        encoded: A PNG or TIFF image.
        what: What it is, for errors.
        max_pixels: Larger images are refused before they are decoded.

    Returns:
        Shape (H, W) int32. Grey levels or palette indices as they are stored, and R + 256 G + 65536 B of colours;
        `NO_REGION` for 255 in maps of 8 bits, 65535 in maps of 16 bits and negative values.

    Raises:
        ValueError: The image is damaged, too large or of a mode whose values are no labels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that are refused here
            with Image.open(io.BytesIO(encoded), formats=_FORMATS) as image:
                num_pixels, mode = image.width * image.height, image.mode
                is_cut = mode == "RGB" and ";16" in str(image.tile)  # Pillow would drop the low bytes
                usable = num_pixels <= max_pixels and (mode == "RGB" or mode in _NO_REGION_VALUES) and not is_cut
                pixels = np.array(image) if usable else None
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise ValueError(f"{what} is neither a PNG nor a TIFF image") from None
    except Exception as error:  # Pillow has no common base of what a malformed file makes it raise
        raise ValueError(f"{what} cannot be decoded ({type(error).__name__}: {error})") from error
    if num_pixels > max_pixels:
        raise ValueError(f"{what} has {num_pixels:,} pixels, more than the {max_pixels:,} allowed (max_pixels)")
    if pixels is None:
        mode += " of 16 bits" * is_cut
        raise ValueError(f"{what} is of mode {mode}; label maps are grey, palette images or RGB of 8 bits")
    if mode == "RGB":
        return (pixels @ np.array([1, 256, 65536])).astype(np.int32)
    labels = pixels.astype(np.int32)
    labels[(labels < 0) | (labels == _NO_REGION_VALUES[mode])] = NO_REGION
    return labels
