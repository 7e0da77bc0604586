"""Image files as arrays of pixels as stored, decoded once."""

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

READABLE_CHANNELS = {1: "grey", 3: "RGB", 4: "RGB and alpha"}
"""Numbers of channels in which image files can be read."""

# Only what photographs come in: some of Pillow's other readers start outside programs or read whole documents.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_GREY_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I;16R")
_SAMPLES_PER_PIXEL, _BITS_PER_SAMPLE = 277, 258  # TIFF tags


class UnreadableImage(ValueError):
    """An image file that cannot be used; the message says why."""


def check_channels(channels: int) -> None:
    """Raise a ValueError unless image files can be read with this number of channels."""
    if channels not in READABLE_CHANNELS:
        raise ValueError(
            f"image files are read with 1 channel (grey), 3 (RGB) or 4 (RGB and alpha), not {channels}; "
            "set channels to one of these"
        )


def check_max_pixels(max_pixels: int) -> None:
    """Raise a ValueError unless images can be limited to this number of pixels."""
    limit = Image.MAX_IMAGE_PIXELS or 0
    if not 1 <= max_pixels <= limit:
        raise ValueError(
            f"max_pixels is {max_pixels}; it must be at least 1 and at most {limit}, where Pillow itself refuses"
        )


def read_image(path: Path, *, channels: int, max_pixels: int) -> np.ndarray:
    """Read an image file upright, as its EXIF orientation says.

    Args:
        path: JPEG, PNG, WebP, BMP, TIFF or GIF, whatever its suffix; of several frames the first is read.
        channels: 3 = RGB from anything; 1 = grey; 4 = RGB and alpha. With 1 and 3, transparency is laid over white.
            16-bit grey becomes 8-bit (65535 becomes 255, rounded) unless `channels` is 1.
        max_pixels: Larger images are refused before they are decoded.

    Returns:
        Shape (H, W, channels); uint8, or uint16 for 16-bit grey with `channels` 1. Writable.

    Raises:
        UnreadableImage: The file is missing, damaged, too large, no image, or of a depth or with bands that would be
            lost: 16-bit colour, float, 32-bit, more than four bands.
        ValueError: `channels` is not 1, 3 or 4.
    """
    check_channels(channels)
    try:
        # Pillow warns of what is refused below (size) or does not matter (odd metadata, byte palettes).
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(path, channels, max_pixels)
    except (UnreadableImage, MemoryError):
        raise
    except FileNotFoundError:
        raise UnreadableImage("the file is missing") from None
    except UnidentifiedImageError:
        raise UnreadableImage(f"it is not an image in a form that can be read ({', '.join(_FORMATS)})") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(f"it has more than the {max_pixels:,} pixels allowed (max_pixels)") from None
    except Exception as error:  # Pillow has no common base of what a malformed file makes it raise
        raise UnreadableImage(f"it cannot be decoded ({type(error).__name__}: {error})") from error


def _decode(path: Path, channels: int, max_pixels: int) -> np.ndarray:
    # From an open file, since Pillow maps an uncompressed TIFF that it is given by name, and then turns it wrongly.
    with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
        num_pixels = image.width * image.height
        if num_pixels > max_pixels:
            raise UnreadableImage(
                f"it has {image.width} x {image.height} = {num_pixels:,} pixels, more than the {max_pixels:,} allowed "
                "(max_pixels)"
            )
        _refuse_lossy(image)
        image.load()
        # Asked only now: reading a TIFF turns it upright and forgets the tag, a PNG's tag may follow its pixels.
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        pixels = _grey_16_bit(image, channels) if image.mode.startswith("I") else _eight_bit(image, channels)
    return np.ascontiguousarray(_turn_upright(pixels, orientation))


def _refuse_lossy(image: ImageFile.ImageFile) -> None:
    """Raise UnreadableImage where Pillow would drop bits or bands without a word, or has no common scale."""
    raw_mode = _raw_mode(image)
    grey_16_bit = raw_mode in _GREY_16_BIT and image.mode.startswith("I")
    deep = image.mode in ("I", "F") or ";16" in raw_mode or ";12" in raw_mode
    num_bands = len(image.getbands())
    tags = getattr(image, "tag_v2", None)
    if tags is not None:
        deep = deep or max(tags.get(_BITS_PER_SAMPLE, (1,))) > 8
        num_bands = tags.get(_SAMPLES_PER_PIXEL, num_bands)
    if num_bands > len(image.getbands()):
        raise UnreadableImage(
            f"it has {num_bands} bands; files with up to 4 bands that Pillow understands can be read (grey, RGB, RGBA)"
        )
    if deep and not grey_16_bit:
        raise UnreadableImage(
            f"its pixels ({raw_mode or image.mode}) are deeper than 8 bits; "
            "8-bit images and 16-bit unsigned grey can be read"
        )


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """How the pixels lie in the file, in Pillow's words; empty where its decoder does not say."""
    args = image.tile[0].args if image.tile else ""
    if isinstance(args, tuple):
        args = args[0] if args else ""
    return args if isinstance(args, str) else ""


def _grey_16_bit(image: Image.Image, channels: int) -> np.ndarray:
    """Pixels (H, W, channels) of 16-bit grey: as they are for 1 channel, or else scaled to 8 bits."""
    grey = np.asarray(image).astype(np.uint16)  # (H, W)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and channels != 4:
        grey[grey == transparent] = 65535
    if channels == 1:
        return grey[..., None]
    bytes_ = ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)
    alpha = np.full_like(bytes_, 255)
    if isinstance(transparent, int):
        alpha[grey == transparent] = 0
    return np.stack([bytes_, bytes_, bytes_, alpha][:channels], axis=-1)


def _eight_bit(image: Image.Image, channels: int) -> np.ndarray:
    """Pixels (H, W, channels) uint8 of any mode with up to 8 bits a channel."""
    if image.mode in ("La", "LAB"):  # Pillow knows no direct way from these
        image = image.convert("LA" if image.mode == "La" else "RGB")
    if channels != 4 and image.has_transparency_data:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured).convert("RGB")
    image = image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
    return np.array(image).reshape(image.height, image.width, channels)


def _turn_upright(pixels: np.ndarray, orientation: object) -> np.ndarray:
    """Undo the turn or mirroring (1 to 8, else none) that EXIF records; pixels (H, W, M)."""
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return pixels.transpose(1, 0, 2)
        case 6:
            return np.rot90(pixels, -1)
        case 7:
            return pixels[::-1, ::-1].transpose(1, 0, 2)
        case 8:
            return np.rot90(pixels)
        case _:
            return pixels
