"""Label maps that are kept as images."""

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from rmae.quoting import kind_and_message
from rmae.regions.source import NO_REGION

_FORMATS = ("PNG", "TIFF")  # the datasets library writes 16-bit and palette images as TIFF
_NO_REGION_VALUES = {"1": NO_REGION, "L": 255, "P": 255, "I;16": 65535, "I;16B": 65535, "I": NO_REGION}


def read_label_map(
    encoded: bytes, what: str, max_pixels: int, *, formats: tuple[str, ...] = _FORMATS, colours: bool = True
) -> np.ndarray:
    """Decode a label map.

    Args:
        encoded: A PNG or TIFF image.
        what: What it is, for errors.
        max_pixels: Larger images are refused before they are decoded.
        formats: Formats that it may have, as Pillow calls them.
        colours: Whether it may be in colour.

    Returns:
        Shape (H, W) int32. Grey levels or palette indices as they are stored, and R + 256 G + 65536 B of colours;
        `NO_REGION` for 255 in maps of 8 bits, 65535 in maps of 16 bits and negative values.

    Raises:
        ValueError: The image is damaged, too large or of a mode whose values are no labels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that are refused here
            with Image.open(io.BytesIO(encoded), formats=formats) as image:
                num_pixels, mode = image.width * image.height, image.mode
                is_cut = mode == "RGB" and ";16" in str(image.tile)  # Pillow would drop the low bytes
                known = (mode == "RGB" and colours) or mode in _NO_REGION_VALUES
                usable = num_pixels <= max_pixels and known and not is_cut
                pixels = np.array(image) if usable else None
    except MemoryError:
        raise
    except UnidentifiedImageError:
        is_other = f"is not a {formats[0]} file" if len(formats) == 1 else "is neither a PNG nor a TIFF image"
        raise ValueError(f"{what} {is_other}") from None
    except Exception as error:  # Pillow has no common base of what a malformed file makes it raise
        raise ValueError(f"{what} cannot be decoded ({kind_and_message(error)})") from error
    if num_pixels > max_pixels:
        raise ValueError(f"{what} has {num_pixels:,} pixels, more than the {max_pixels:,} allowed (max_pixels)")
    if pixels is None:
        mode += " of 16 bits" * is_cut
        wanted = "label maps are grey, palette images or RGB of 8 bits"
        if not colours:
            wanted = "labels must be grey levels or indices of a palette (modes L, P or I;16), one number a pixel"
        raise ValueError(f"{what} is of mode {mode}; {wanted}")
    if mode == "RGB":
        return (pixels @ np.array([1, 256, 65536])).astype(np.int32)
    labels = pixels.astype(np.int32)
    labels[(labels < 0) | (labels == _NO_REGION_VALUES[mode])] = NO_REGION
    return labels
