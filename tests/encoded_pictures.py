"""Pictures as the bytes of a file."""

import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image


def encode(pixels: np.ndarray | Image.Image, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(buffer, form, **options)
    return buffer.getvalue()


PNG_HEAD = b"\x89PNG\r\n\x1a\n"
"""What every PNG begins with."""


def png_of(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, each a kind and its data, with checksums that are right."""
    return PNG_HEAD + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
