import io
import sys

import numpy as np
import pytest
from PIL import Image

from rmae.data.image_encoding import encode_image
from rmae.data.images import read_image


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def smooth(num_bands: int) -> np.ndarray:
    """A slope in each band, which a JPEG keeps well."""
    rows, columns = np.mgrid[:40, :60]
    return np.stack([3 * rows + (i + 1) * columns // 2 for i in range(num_bands)], axis=-1).astype(np.uint8)


def read(encoded: bytes, channels: int) -> np.ndarray:
    return read_image(io.BytesIO(encoded), channels=channels, max_pixels=10**6)


@pytest.mark.parametrize("num_bands", [1, 3])
def test_grey_and_colours_become_jpegs(num_bands: int):
    image = smooth(num_bands)
    encoded, suffix = encode_image(image, quality=95)
    assert suffix == "jpg"
    again = read(encoded, num_bands)
    assert (again.shape, again.dtype) == (image.shape, np.uint8)
    assert np.abs(again.astype(int) - image).max() <= 12
    with Image.open(io.BytesIO(encoded)) as opened:
        assert opened.format == "JPEG"
        assert "progressive" not in opened.info


def test_quality_is_that_of_the_jpeg():
    image = noise(64, 64, 3)
    sizes = [len(encode_image(image, quality=quality)[0]) for quality in (10, 50, 95)]
    assert sizes == sorted(sizes)
    assert sizes[2] > 3 * sizes[0]
    with Image.open(io.BytesIO(encode_image(image, quality=77)[0])) as opened:
        expected = io.BytesIO()
        Image.fromarray(image).save(expected, "JPEG", quality=77)
        with Image.open(expected) as wanted:
            assert opened.quantization == wanted.quantization  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("num_bands", "dtype", "suffix"),
    [
        (4, np.uint8, "png"),
        (1, np.uint16, "png"),
        (2, np.uint8, "tif"),
        (5, np.uint8, "tif"),
        (13, np.uint16, "tif"),
        (3, np.uint16, "tif"),
        (4, np.uint16, "tif"),
        (2, np.uint16, "tif"),
    ],
)
def test_everything_else_is_kept_to_the_bit(num_bands: int, dtype: type, suffix: str):
    image = noise(9, 13, num_bands, dtype=dtype)
    encoded, found = encode_image(image, quality=10)
    assert found == suffix
    np.testing.assert_array_equal(read(encoded, num_bands), image, strict=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1)])
@pytest.mark.parametrize(
    ("num_bands", "dtype"), [(1, np.uint8), (3, np.uint8), (4, np.uint8), (5, np.uint8), (1, np.uint16), (4, np.uint16)]
)
def test_thin_images_come_back(shape: tuple[int, int], num_bands: int, dtype: type):
    image = np.full((*shape, num_bands), 77, dtype)
    np.testing.assert_array_equal(read(encode_image(image, quality=95)[0], num_bands), image, strict=True)


@pytest.mark.parametrize("num_bands", [1, 3])
def test_what_is_too_long_for_a_jpeg_becomes_a_png(num_bands: int):
    image = noise(2, 65_501, num_bands)
    encoded, suffix = encode_image(image.transpose(1, 0, 2), quality=90)
    assert suffix == "png"
    np.testing.assert_array_equal(read(encoded, num_bands).transpose(1, 0, 2), image)
    assert encode_image(image[:, 1:], quality=90)[1] == "jpg"


def test_the_same_image_gives_the_same_bytes():
    for image in (noise(20, 20, 3), noise(20, 20, 4), noise(20, 20, 6, dtype=np.uint16)):
        assert encode_image(image, quality=90) == encode_image(image.copy(), quality=90)


def test_what_bands_need_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ValueError, match=r"images of 5 bands of uint8 are packed as TIFF, .*: pip install 'rmae\[band"):
        encode_image(noise(2, 2, 5), quality=90)
    assert encode_image(noise(2, 2, 4), quality=90)[1] == "png"
