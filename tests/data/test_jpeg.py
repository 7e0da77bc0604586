import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from rmae.data.images import open_image
from rmae.data.jpeg import decode_jpeg

PICTURE = data.chelsea()  # (300, 451, 3)


def encode(picture: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", **options)
    return file.getvalue()


def as_pillow_does(encoded: bytes, reduction: int) -> np.ndarray:
    image = Image.open(io.BytesIO(encoded))
    if reduction > 1:
        image.draft(None, (image.width // reduction, image.height // reduction))
    pixels = np.array(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("cut", [(300, 451), (299, 448), (17, 9), (8, 8)], ids=str)
@pytest.mark.parametrize(
    "options",
    [{"subsampling": s, "quality": q} for s in (0, 1, 2) for q in (60, 90)]
    + [{"progressive": True}, {"optimize": True}],
    ids=str,
)
def test_pixels_are_those_of_pillow(options: dict, cut: tuple[int, int], reduction: int):
    encoded = encode(PICTURE[: cut[0], : cut[1]], **options)
    pixels = decode_jpeg(encoded, cut, channels=3, reduction=reduction)
    assert pixels is not None
    np.testing.assert_array_equal(pixels, as_pillow_does(encoded, reduction), strict=True)
    assert pixels.flags.writeable


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
def test_grey_has_one_channel(reduction: int):
    encoded = encode(PICTURE[:, :, 0])
    pixels = decode_jpeg(encoded, (300, 451), channels=1, reduction=reduction)
    np.testing.assert_array_equal(pixels, as_pillow_does(encoded, reduction), strict=True)


def test_what_is_damaged_is_left_to_pillow():
    encoded = encode(PICTURE)
    for broken in (
        encoded[: len(encoded) // 2],
        encoded[:100],
        b"",
        b"no image",
        encoded[:300] + bytes(40) + encoded[340:],
    ):
        assert decode_jpeg(broken, (300, 451), channels=3, reduction=1) is None


def test_another_size_than_the_one_announced_is_left_to_pillow():
    assert decode_jpeg(encode(PICTURE), (300, 450), channels=3, reduction=1) is None


def test_a_plain_jpeg_is_read_once():
    picture = np.random.default_rng(0).integers(0, 256, (800, 1120, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG")
    file = CountingFile(buffer.getvalue())
    image = open_image(file, channels=3, max_pixels=10**6)
    image.pixels(8)
    image.pixels(1)
    assert file.num_read <= len(buffer.getvalue()) + 4


class CountingFile(io.BytesIO):
    num_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.num_read += len(data)
        return data
