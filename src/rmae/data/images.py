"""Image files as arrays of pixels as stored, decoded once, and JPEGs at a fraction of their size if that is enough."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from rmae.data.jpeg import decode_jpeg, plain_jpeg_size
from rmae.data.tiff_bands import INSTALL, TiffBands, UnreadableBands, declares_pages_as_bands, has_tifffile
from rmae.files import FileToDecode
from rmae.jpeg_scans import MOST_SCANS, has_endless_scans
from rmae.quoting import kind_and_message

READABLE_CHANNELS = {1: "grey", 3: "RGB", 4: "RGB and alpha"}
"""Numbers of channels in which every kind of image file can be read; others are read from TIFF alone."""

# Only what photographs come in: some of Pillow's other readers start outside programs or read whole documents.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_JPEG_START = b"\xff\xd8\xff"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF
_GREY_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I;16R")
_BITS_PER_SAMPLE, _DESCRIPTION, _SAMPLES_PER_PIXEL = 258, 270, 277  # TIFF tags
_REDUCTIONS = (8, 4, 2, 1)
_ORDINARY_JPEGS = {1: "L", 3: "RGB"}  # Pillow's modes of JPEGs that need no conversion, by number of channels
# Orientations whose undoing puts the last column, or row, of the file first.
_COLUMNS_REVERSED, _ROWS_REVERSED, _TRANSPOSED = (2, 3, 7, 8), (3, 4, 6, 7), (5, 6, 7, 8)


class UnreadableImage(ValueError):
    """An image file that cannot be used; the message says why."""


class StoredImage:
    """An image in an open file, whose size is known and whose pixels can be had. Made by `open_image`.

    Args:
        size_hw: Height H and width W.
        max_reduction: Largest reduction: 8, 4, 2 or 1.
        decode: From a reduction to the pixels.
    """

    def __init__(self, *, size_hw: tuple[int, int], max_reduction: int, decode: Callable[[int], np.ndarray]):
        self.size_hw = size_hw
        """Height H and width W in pixels, upright as the EXIF orientation says."""
        self.max_reduction = max_reduction
        """Largest reduction that `pixels` takes: 8 for most JPEGs, 1 for everything else."""
        self._decode = decode

    @classmethod
    def of(cls, pixels: np.ndarray) -> "StoredImage":
        """An image that is decoded already, shape (H, W, M)."""
        height, width = pixels.shape[:2]
        return cls(size_hw=(height, width), max_reduction=1, decode=lambda _: pixels)

    def pixels(self, reduction: int = 1) -> np.ndarray:
        """Decode the image, or what the file holds of it at a fraction of its size.

        Args:
            reduction: 1, 2, 4 or 8, at most `max_reduction`. Pixel (i, j) of the result stands for the pixels
                [i * reduction, (i + 1) * reduction) x [j * reduction, (j + 1) * reduction) of the image, as far as
                they lie inside; it is close to their mean, at the last row and column with what the encoder filled
                incomplete blocks up with.

        Returns:
            Shape (ceil(H / reduction), ceil(W / reduction), channels); uint8, or uint16 as `read_image` says.
            Writable; may be the same array at the next call.

        Raises:
            UnreadableImage: The pixels are damaged.
            ValueError: This image cannot be had at this reduction.
        """
        if reduction not in _REDUCTIONS or reduction > self.max_reduction:
            allowed = ", ".join(str(step) for step in reversed(_REDUCTIONS) if step <= self.max_reduction)
            raise ValueError(f"reduction is {reduction}; of this image it must be one of {allowed}")
        return self._decode(reduction)


def check_channels(channels: int) -> None:
    """Raise a ValueError unless image files can be read with this number of channels."""
    if channels in READABLE_CHANNELS:
        return
    if channels < 1:
        raise ValueError(
            f"image files are read with 1 channel (grey), 3 (RGB), 4 (RGB and alpha) or as many as a TIFF has bands, "
            f"not {channels}; set channels to one of these"
        )
    if not has_tifffile():
        raise ValueError(
            f"image files are read with 1 channel (grey), 3 (RGB) or 4 (RGB and alpha), not {channels}; "
            f"set channels to one of these, or to read TIFF files of {channels} bands {INSTALL}"
        )


def check_max_pixels(max_pixels: int) -> None:
    """Raise a ValueError unless images can be limited to this number of pixels."""
    limit = Image.MAX_IMAGE_PIXELS or 0
    if not 1 <= max_pixels <= limit:
        raise ValueError(
            f"max_pixels is {max_pixels}; it must be at least 1 and at most {limit}, where Pillow itself refuses"
        )


def read_image(file: Path | BinaryIO, *, channels: int, max_pixels: int) -> np.ndarray:
    """Read an image file upright, as its EXIF orientation says.

    Args:
        file: JPEG, PNG, WebP, BMP, TIFF or GIF, whatever its suffix; of several frames the first is read. A path, or
            an open file that can seek, which is read from its beginning and left open.
        channels: 3 = RGB from anything; 1 = grey; 4 = RGB and alpha. With 1 and 3, transparency is laid over white.
            16-bit grey becomes 8-bit (65535 becomes 255, rounded) unless `channels` is 1. Any other number: the bands
            of a TIFF, which must be as many and are taken as stored; they may be interleaved, in planes, or in pages.
            So are TIFF files with 1, 3 or 4 bands of 16 bits, in planes or of unnamed colours, and those with a page
            for each band where their description (of tifffile, ImageJ or OME) says that this is what the pages are.
        max_pixels: Larger images are refused before they are decoded.

    Returns:
        Shape (H, W, channels); uint8, or uint16 for 16-bit grey with `channels` 1 and for TIFF bands of 16 bits.
        Writable.

    Raises:
        UnreadableImage: The file is missing, damaged, too large, no image, or of a depth or with bands that would be
            lost: float, 32-bit, 16-bit colour but in TIFF, other bands than `channels`.
        ValueError: `channels` is below 1, or is not 1, 3 or 4 and tifffile is not installed.
    """
    check_channels(channels)
    if not isinstance(file, Path):
        return open_image(file, channels=channels, max_pixels=max_pixels).pixels()
    # From an open file, since Pillow maps an uncompressed TIFF that it is given by name, and then turns it wrongly.
    with _errors_in_words(max_pixels), FileToDecode(file) as opened:
        return open_image(opened, channels=channels, max_pixels=max_pixels).pixels()


def open_image(file: BinaryIO, *, channels: int, max_pixels: int) -> StoredImage:
    """Look at an image in an open file. A JPEG is read but not decoded; any other image is decoded at once.

    Args:
        file: As for `read_image`.
        channels: As for `read_image`.
        max_pixels: As for `read_image`.

    Returns:
        The image's size, and the way to its pixels.

    Raises:
        UnreadableImage: As for `read_image`; of damage to a JPEG's pixels only `StoredImage.pixels` knows.
        ValueError: As for `read_image`.
    """
    check_channels(channels)
    with _errors_in_words(max_pixels):
        file.seek(0)
        start = file.read(4)
        if start in _TIFF_STARTS:
            return StoredImage.of(_decode_tiff(file, channels, max_pixels))
        file.seek(0)
        encoded = file.read() if start.startswith(_JPEG_START) else b""
        if has_endless_scans(encoded):
            raise UnreadableImage(f"it has more than the {MOST_SCANS} scans allowed")
        plain_hw = plain_jpeg_size(encoded, channels=channels)
        if plain_hw is not None:
            _check_size(*plain_hw, max_pixels)
            return _open_plain_jpeg(encoded, plain_hw, channels, max_pixels)
        image = Image.open(BytesIO(encoded) if encoded else file, formats=_FORMATS)
        _check_size(image.height, image.width, max_pixels)
        loss = _what_would_be_lost(image)
        if loss:
            raise UnreadableImage(loss)
        if channels not in READABLE_CHANNELS:
            raise UnreadableImage(
                f"its pixels are {image.mode}, and images with {channels} bands are read from TIFF alone"
            )
        if isinstance(image, JpegImageFile):
            return _open_jpeg(image, encoded, channels, max_pixels)
        return StoredImage.of(_decode(image, channels))


@contextmanager
def _errors_in_words(max_pixels: int) -> Iterator[None]:
    """Turn whatever is raised while a file is read into UnreadableImage, but for a want of memory."""
    try:
        # Pillow warns of what is refused here (size) or does not matter (odd metadata, byte palettes).
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (UnreadableImage, MemoryError):
        raise
    except UnreadableBands as error:
        raise UnreadableImage(str(error)) from None
    except FileNotFoundError:
        raise UnreadableImage("the file is missing") from None
    except UnidentifiedImageError:
        raise UnreadableImage(f"it is not an image in a form that can be read ({', '.join(_FORMATS)})") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(f"it has more than the {max_pixels:,} pixels allowed (max_pixels)") from None
    except Exception as error:  # Pillow has no common base of what a malformed file makes it raise
        raise UnreadableImage(f"it cannot be decoded ({kind_and_message(error)})") from error


def _check_size(height: int, width: int, max_pixels: int) -> None:
    num_pixels = height * width
    if num_pixels > max_pixels:
        raise UnreadableImage(
            f"it has {width} x {height} = {num_pixels:,} pixels, more than the {max_pixels:,} allowed (max_pixels)"
        )


def _open_plain_jpeg(encoded: bytes, size_hw: tuple[int, int], channels: int, max_pixels: int) -> StoredImage:
    """Leave the pixels of a JPEG for later that can do without Pillow."""

    def decode(reduction: int) -> np.ndarray:
        pixels = decode_jpeg(encoded, size_hw, channels=channels, reduction=reduction)
        if pixels is not None:
            return pixels
        with _errors_in_words(max_pixels):  # damaged, and Pillow says how
            image = Image.open(BytesIO(encoded), formats=("JPEG",))
            assert isinstance(image, JpegImageFile)
            return _open_jpeg(image, encoded, channels, max_pixels).pixels(reduction)

    reduction = next(reduction for reduction in _REDUCTIONS if reduction <= min(size_hw))
    return StoredImage(size_hw=size_hw, max_reduction=reduction, decode=decode)


def _open_jpeg(image: JpegImageFile, encoded: bytes, channels: int, max_pixels: int) -> StoredImage:
    """Take size and orientation of a JPEG from its header, and leave its pixels for later."""
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    width, height = image.size
    unread: list[JpegImageFile] = [image]

    def decode(reduction: int) -> np.ndarray:
        with _errors_in_words(max_pixels):
            if _ORDINARY_JPEGS.get(channels) == image.mode:
                pixels = decode_jpeg(encoded, (height, width), channels=channels, reduction=reduction)
                if pixels is not None:
                    return np.ascontiguousarray(_turn_upright(pixels, orientation))
            # What Pillow has opened it can decode once.
            opened = unread.pop() if unread else Image.open(BytesIO(encoded), formats=("JPEG",))
            if reduction > 1:
                # Pillow takes the largest of 8, 4 and 2 at which neither side is smaller than asked for.
                opened.draft(None, (width // reduction, height // reduction))
            return _decode(opened, channels)

    return StoredImage(
        size_hw=(width, height) if orientation in _TRANSPOSED else (height, width),
        max_reduction=_max_reduction(image, orientation),
        decode=decode,
    )


def _max_reduction(image: JpegImageFile, orientation: object) -> int:
    """Largest reduction at which pixel i of the upright image stands for [i * reduction, (i + 1) * reduction)."""
    if not image.quantization:  # lossless JPEG, which libjpeg decodes at full size alone
        return 1
    width, height = image.size
    for reduction in _REDUCTIONS:
        # libjpeg's last pixel stands for what is left of a side. Turned to be the first, it would shift all others.
        shifted = (orientation in _COLUMNS_REVERSED and width % reduction) or (
            orientation in _ROWS_REVERSED and height % reduction
        )
        # Pillow asks for no reduction that is larger than the image.
        if reduction <= min(width, height) and not shifted:
            return reduction
    return 1


def _decode_tiff(file: BinaryIO, channels: int, max_pixels: int) -> np.ndarray:
    """Pixels (H, W, channels), upright: Pillow's where it loses nothing, as most TIFF files are, or else tifffile's."""
    if channels in READABLE_CHANNELS:
        try:
            image = Image.open(file, formats=("TIFF",))
        except Image.DecompressionBombError:
            raise
        except Exception:  # bands, depths or compressions that Pillow does not know; tifffile says what is the matter
            image = None
        if image is not None:
            _check_size(image.height, image.width, max_pixels)
            if not _what_would_be_lost(image) and not _is_first_of_bands(image, channels):
                return _decode(image, channels)
    bands = TiffBands(file, num_bands=channels)
    _check_size(*bands.size_hw, max_pixels)
    return np.ascontiguousarray(_turn_upright(bands.pixels(), bands.orientation))


def _is_first_of_bands(image: ImageFile.ImageFile, channels: int) -> bool:
    """Whether Pillow would read the first band of a TIFF for the whole image."""
    is_grey = image.mode == "L" or image.mode.startswith("I;16")
    description = getattr(image, "tag_v2", {}).get(_DESCRIPTION)
    return channels > 1 and is_grey and declares_pages_as_bands(description, channels)


def _decode(image: ImageFile.ImageFile, channels: int) -> np.ndarray:
    """Pixels (H, W, channels), upright."""
    image.load()
    # Asked only now: reading a TIFF turns it upright and forgets the tag, a PNG's tag may follow its pixels.
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    pixels = _grey_16_bit(image, channels) if image.mode.startswith("I") else _eight_bit(image, channels)
    return np.ascontiguousarray(_turn_upright(pixels, orientation))


def _what_would_be_lost(image: ImageFile.ImageFile) -> str:
    """Why Pillow would drop bits or bands without a word, or has no common scale; empty where it does neither."""
    raw_mode = _raw_mode(image)
    grey_16_bit = raw_mode in _GREY_16_BIT and image.mode.startswith("I")
    deep = image.mode in ("I", "F") or ";16" in raw_mode or ";12" in raw_mode
    num_bands = len(image.getbands())
    tags = getattr(image, "tag_v2", None)
    if tags is not None:
        deep = deep or max(tags.get(_BITS_PER_SAMPLE, (1,))) > 8
        num_bands = tags.get(_SAMPLES_PER_PIXEL, num_bands)
    if num_bands > len(image.getbands()):
        return f"it has {num_bands} bands, of which Pillow reads {len(image.getbands())}"
    if deep and not grey_16_bit:
        return (
            f"its pixels ({raw_mode or image.mode}) are deeper than 8 bits; "
            "8-bit images and 16-bit unsigned grey can be read, and colour of 16 bits from TIFF"
        )
    return ""


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
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    if image.mode != mode:  # Pillow would copy it
        image = image.convert(mode)
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
