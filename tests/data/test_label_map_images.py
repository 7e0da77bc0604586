import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from encoded_pictures import encode
from rmae.data.label_map_images import read_label_map


def read(encoded: bytes, max_pixels: int = 100) -> np.ndarray:
    label_map = read_label_map(encoded, "the map", max_pixels)
    assert label_map.dtype == np.int32
    return label_map


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_levels_are_labels(form: str):
    pixels = np.array([[0, 0, 150], [1, 255, 254]], np.uint8)
    np.testing.assert_array_equal(read(encode(pixels, form)), [[0, 0, 150], [1, -1, 254]])


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_levels_of_16_bits_are_labels(form: str):
    pixels = np.array([[0, 255, 256], [65535, 65534, 7]], np.uint16)
    np.testing.assert_array_equal(read(encode(pixels, form)), [[0, 255, 256], [-1, 65534, 7]])


def test_levels_of_32_bits_are_labels():
    pixels = np.array([[-1, 255, 70000], [-9, 65535, 0]], np.int32)
    np.testing.assert_array_equal(read(encode(pixels, "TIFF")), [[-1, 255, 70000], [-1, 65535, 0]])


def test_palette_indices_are_labels_whatever_their_colours():
    pixels = Image.fromarray(np.array([[0, 1, 2], [255, 3, 3]], np.uint8)).convert("P")
    pixels.putpalette([9] * 768)
    np.testing.assert_array_equal(read(encode(pixels)), [[0, 1, 2], [-1, 3, 3]])


def test_bits_are_labels():
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    np.testing.assert_array_equal(read(encode(bits)), [[0, 1], [1, 0]])


def test_colours_are_numbers():
    pixels = np.array([[[255, 0, 0], [1, 2, 3]], [[0, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(read(encode(pixels)), [[255, 1 + 2 * 256 + 3 * 65536], [0, 2**24 - 1]])


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "the map is neither a PNG nor a TIFF"),
        (b"damaged", "the map is neither a PNG nor a TIFF"),
        (encode(np.zeros((2, 3), np.uint8), "JPEG"), "the map is neither a PNG nor a TIFF"),
        (encode(np.arange(100).reshape(10, 10).astype(np.uint8))[:50], r"the map cannot be decoded \(.+\)$"),
        (encode(np.zeros((2, 3, 4), np.uint8)), "the map is of mode RGBA; label maps are grey, palette images or RGB"),
        (encode(np.zeros((2, 3), np.float32), "TIFF"), "the map is of mode F; label maps are"),
        (encode(np.zeros((11, 10), np.uint8))[:45], r"has 110 pixels, more than the 100 allowed \(max_pixels\)$"),
    ],
    ids=["empty", "damaged", "jpeg", "cut off", "alpha", "float", "large and cut off"],
)
def test_maps_that_cannot_be_used_are_told(encoded: bytes, message: str):
    with pytest.raises(ValueError, match=message) as caught:
        read(encoded)
    assert "\n" not in str(caught.value)


def test_deep_colours_are_refused_since_they_would_be_cut():
    with pytest.raises(ValueError, match="the map is of mode RGB of 16 bits; label maps are"):
        read(_png_of_deep_colours())


def _png_of_deep_colours() -> bytes:
    """One pixel of three times 16 bits, which Pillow does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(7))) + chunk(b"IEND", b"")
