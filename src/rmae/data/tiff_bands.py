"""TIFF files of any number of bands, 8 or 16 bits each, through tifffile."""

import logging
import math
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from rmae.quoting import one_line

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

INSTALL = "pip install 'rmae[bands]'"
"""What brings tifffile and its codecs."""

# Without a handler, Python prints what tifffile logs of odd files to stderr, once for each file and epoch. What matters
# of it is raised too. A program that sets up logging still sees it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

# Only what the file's header bounds: what is inside JPEG, JPEG 2000 or WebP says its size itself, and may lie.
_COMPRESSIONS = {
    1: "none",
    5: "LZW",
    8: "Deflate",
    32946: "Deflate",
    50013: "Deflate",
    32773: "PackBits",
    34925: "LZMA",
    34926: "Zstandard",
    50000: "Zstandard",
}
_PALETTE = 3  # of the tag PhotometricInterpretation
_ORIENTATION = 274
_MAX_TILE_PIXELS = 4096**2  # tiles are decoded whole, and may be larger than the image


class UnreadableBands(ValueError):
    """A TIFF file whose bands cannot be read; the message says why."""


def has_tifffile() -> bool:
    """Whether tifffile is installed; it is not imported."""
    return find_spec("tifffile") is not None


def declares_pages_as_bands(description: object, num_bands: int) -> bool:
    """Whether a TIFF's description says that its pages are the bands of one image, and that there are so many.

    Args:
        description: The tag ImageDescription of the first page: a string as tifffile, ImageJ or OME write it, or
            anything else, which declares nothing.
        num_bands: Number of pages, at least 2.
    """
    if not isinstance(description, str):
        return False
    if description.startswith("ImageJ="):
        return {f"images={num_bands}", f"channels={num_bands}"} <= set(description.split())
    if description.rstrip().endswith("OME>"):
        sizes = (("C", num_bands), ("Z", 1), ("T", 1))
        return all(re.search(rf'\bSize{axis}="{size}"', description) for axis, size in sizes)
    return re.match(rf'\{{.*"shape": ?\[{num_bands}, ?\d+, ?\d+\]', description) is not None


class TiffBands:
    """The bands of a TIFF file, checked but not decoded.

    They are the first page's samples, interleaved or in planes; or else, if `num_bands` is not 1, the pages of the
    first one's size and depth, so that neither thumbnails nor overviews nor masks count.

    Args:
        file: Open TIFF or BigTIFF; must stay open until the pixels are decoded.
        num_bands: How many there have to be.

    Raises:
        UnreadableBands: Other number of bands, not 8 or 16 bits unsigned, a palette, a volume, a compression that is
            not read, parts missing, or tifffile is not installed.
        Exception: Anything else that a malformed file makes tifffile raise.
    """

    def __init__(self, file: BinaryIO, *, num_bands: int):
        self._pages = _band_pages(_open(file), num_bands)
        first = self._pages[0]
        self.size_hw: tuple[int, int] = (first.imagelength, first.imagewidth)
        """Height and width as stored."""
        self.orientation: object = first.tags.valueof(_ORIENTATION, 1)
        """How the pixels are turned, as in EXIF: 1 to 8, upright if anything else."""

    def pixels(self) -> np.ndarray:
        """Decode the bands.

        Returns:
            Shape (H, W, M), uint8 or uint16, as stored: neither turned nor converted.

        Raises:
            UnreadableBands: The codec is not installed.
            Exception: Anything else that malformed data makes tifffile and its codecs raise.
        """
        try:
            # One thread, since the loader's workers share the cores already.
            decoded = [page.asarray(squeeze=False, maxworkers=1) for page in self._pages]  # each (S, 1, H, W, C)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            name = _COMPRESSIONS[self._pages[0].compression]
            raise UnreadableBands(f"it is compressed with {name}; to read it, {INSTALL}") from None
        bands = [page.transpose(2, 3, 0, 4, 1).reshape(*self.size_hw, -1) for page in decoded]  # each (H, W, S * C)
        return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=-1)


def _open(file: BinaryIO) -> "TiffFile":
    try:
        from tifffile import TiffFile
    except ImportError:
        raise UnreadableBands(f"it takes tifffile to read this TIFF; to have it, {INSTALL}") from None
    file.seek(0)
    # Named, since a file opened by number has a number as its name. Of these three kinds tifffile would walk through
    # all pages at once, for ever if the last leads back to the first.
    return TiffFile(file, name="image", is_lsm=False, is_ndpi=False, is_scanimage=False)


def _band_pages(tiff: "TiffFile", num_bands: int) -> "list[TiffPage]":
    """The one page that holds all bands, or the pages of which each holds one; checked."""
    first = tiff.pages.first
    _check_pixels(first)
    pages: list[TiffPage] = [first]
    found = first.samplesperpixel
    if found == 1 and num_bands > 1:
        pages = _pages_like_first(tiff, num_bands)
        found = len(pages)
    if found != num_bands:
        more = "more than " if len(pages) > num_bands else ""
        shown = num_bands if more else found
        raise UnreadableBands(
            f"it has {more}{shown} band{'s'[: shown != 1]}, and the model takes {num_bands} channel"
            f"{'s'[: num_bands != 1]}"
        )
    for page in pages:
        _check_parts(page)
    return pages


def _pages_like_first(tiff: "TiffFile", num_bands: int) -> "list[TiffPage]":
    """The pages of the first one's size and depth, in order; one too many at most."""
    first = tiff.pages.first
    alike: list[TiffPage] = [first]
    seen = {first.offset}
    # By index, since asking for their number walks through all of them, for ever if they form a circle.
    while len(alike) <= num_bands:
        try:
            page = cast("TiffPage", tiff.pages[len(seen)])  # no frame, since frames were not asked for
        except IndexError:
            break
        if page.offset in seen:
            raise UnreadableBands("it cannot be decoded (its pages form a circle)")
        seen.add(page.offset)
        if (page.shaped, page.dtype, page.bitspersample) == (first.shaped, first.dtype, first.bitspersample):
            alike.append(page)
    return alike


def _check_pixels(page: "TiffPage") -> None:
    """Raise UnreadableBands unless the pixels of a page can be taken as they are stored."""
    kind = str(page.dtype)  # 12 bits are uint16 too, for which there is no common scale
    if kind not in ("uint8", "uint16") or page.bitspersample not in (8, 16):
        found = f"of {page.bitspersample} bits" if kind in ("uint8", "uint16", "None") else kind
        raise UnreadableBands(f"its pixels are {found}; unsigned integers of 8 or 16 bits can be read")
    if page.photometric == _PALETTE:
        raise UnreadableBands("its pixels are entries of a palette; bands can be read only as values of their own")
    if page.imagedepth != 1:
        raise UnreadableBands(f"it is a volume of {page.imagedepth} layers; flat images can be read")


def _check_parts(page: "TiffPage") -> None:
    """Raise UnreadableBands if decoding the page would take more memory, or fill in more, than its file answers for."""
    if page.compression not in _COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        known = ", ".join(list(dict.fromkeys(_COMPRESSIONS.values()))[1:])
        raise UnreadableBands(
            f"it is compressed with {one_line(name)}; bands are read from TIFF uncompressed or with {known}"
        )
    if page.is_tiled and page.tilewidth * page.tilelength * page.tiledepth > _MAX_TILE_PIXELS:
        raise UnreadableBands(
            f"its tiles have {page.tilewidth} x {page.tilelength} pixels, more than the {_MAX_TILE_PIXELS:,} allowed"
        )
    num_parts = math.prod(page.chunked)
    if num_parts < 1 or min(len(page.dataoffsets), len(page.databytecounts)) < num_parts:
        raise UnreadableBands(f"it cannot be decoded (it lists {len(page.dataoffsets)} of its {num_parts} parts)")
