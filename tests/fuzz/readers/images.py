"""Readers of images."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from fuzz.byte_damage import damage_bytes
from fuzz.reader import DamageContent, Files, Reader, damaging
from fuzz.sealed_damage import damage_png
from rmae.data.images import UnreadableImage, open_image, read_image
from rmae.scenes.picture_files import UnreadablePicture, decode

_HEIGHT, _WIDTH = 17, 26
_MOST_PIXELS = 100_000
_BANDS = 5


def _noise(mode: str) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (_HEIGHT, _WIDTH, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    return Image.fromarray(pixels).convert(mode)


def _making(form: str, modes: Sequence[str], *options: dict[str, Any]) -> Callable[[Path], list[Files]]:
    def make(_: Path) -> list[Files]:
        found = []
        for mode in modes:
            for chosen in options or ({},):
                buffer = io.BytesIO()
                _noise(mode).save(buffer, form, **chosen)
                found.append({"a.image": buffer.getvalue()})
        return found

    return make


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _make_bands(_: Path) -> list[Files]:
    found = []
    shape = (_HEIGHT, _WIDTH, _BANDS)
    for dtype in (np.uint8, np.uint16):
        pixels = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
        for options in (
            {},
            {"compression": "zlib"},
            {"compression": "lzw"},
            {"tile": (16, 16)},
            {"compression": "zstd"},
        ):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, pixels, photometric="minisblack", planarconfig="contig", **options)
            found.append({"a.image": buffer.getvalue()})
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels.transpose(2, 0, 1), photometric="minisblack")
        found.append({"a.image": buffer.getvalue()})
    return found


def _read(folder: Path) -> None:
    for channels in (3, 1, 4):
        _check(read_image(folder / "a.image", channels=channels, max_pixels=_MOST_PIXELS), channels)


def _read_reduced(folder: Path) -> None:
    with (folder / "a.image").open("rb") as file:
        for channels in (3, 1):
            image = open_image(file, channels=channels, max_pixels=_MOST_PIXELS)
            reduction = image.max_reduction
            pixels = image.pixels(reduction)
            _check(pixels, channels)
            assert pixels.shape[:2] == tuple(-(-side // reduction) for side in image.size_hw)
            _check(image.pixels(), channels)


def _read_bands(folder: Path) -> None:
    _check(read_image(folder / "a.image", channels=_BANDS, max_pixels=_MOST_PIXELS), _BANDS)


def _check(pixels: np.ndarray, channels: int) -> None:
    assert pixels.ndim == 3
    assert pixels.shape[2] == channels
    assert 0 < pixels.shape[0] * pixels.shape[1] <= _MOST_PIXELS
    assert pixels.dtype in (np.uint8, np.uint16)
    assert pixels.flags.writeable


def _decode(folder: Path) -> None:
    image, _ = decode(folder / "a.image")
    assert min(image.size) > 0


def _reader(
    name: str,
    make: Callable[[Path], list[Files]],
    by: DamageContent = damage_bytes,
    read: Callable[[Path], None] = _read,
) -> Reader:
    return Reader(name, make, read, damaging("a.image", by=by), clear=(UnreadableImage,))


_PNG = _making("PNG", ("RGB", "L", "RGBA", "P", "LA", "1", "I;16"), {}, {"exif": _turned()})
_JPEG = _making("JPEG", ("RGB", "L", "CMYK"), {}, {"progressive": True}, {"exif": _turned()})
_WEBP = _making("WEBP", ("RGB", "RGBA"), {}, {"lossless": True}, {"exif": _turned()})
_TIFF_OPTIONS = ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "packbits"})
_TIFF = _making("TIFF", ("RGB", "L", "RGBA", "P", "I;16"), *_TIFF_OPTIONS)

READERS = (
    _reader("JPEG", _JPEG, read=_read_reduced),
    _reader("PNG", _PNG, damage_png),
    _reader("WebP", _WEBP),
    _reader("TIFF", _TIFF)._replace(prints_itself=True),  # libtiff
    _reader("GIF", _making("GIF", ("RGB", "L", "P"))),
    _reader("BMP", _making("BMP", ("RGB", "L", "P", "1"))),
    _reader("TIFF of many bands", _make_bands, read=_read_bands),
    Reader(
        "cut-outs",
        lambda folder: _PNG(folder)[:6] + _WEBP(folder)[:2],
        _decode,
        damaging("a.image", by=lambda generator, content, others: damage_png(generator, content, others)
                 if content[:4] == b"\x89PNG" else damage_bytes(generator, content, others)),
        clear=(UnreadablePicture,),
        named="a.image",
    ),
)  # fmt: skip
