from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from rmae.data.crops import Crop, centre_crop, crop_image, random_crop, sample_positions

LAW = {"scale": (0.2, 1.0), "ratio": (3 / 4, 4 / 3), "flip": 0.5}


def crop_label_maps(label_maps: np.ndarray, crop: Crop, size_hw: tuple[int, int]) -> np.ndarray:
    rows, columns = sample_positions(crop, size_hw)
    cut = label_maps[:, rows[:, None], columns]
    return cut[:, :, ::-1] if crop.flip else cut


def crops(number: int, height: int, width: int) -> list[Crop]:
    generator = np.random.default_rng(0)
    return [random_crop(height, width, **LAW, generator=generator) for _ in range(number)]


def test_random_crops_follow_the_law():
    drawn = crops(4000, 600, 600)
    shares = np.array([crop.height * crop.width for crop in drawn]) / 600**2
    aspects = np.log([crop.width / crop.height for crop in drawn])
    assert shares.min() > 0.19
    assert shares.max() <= 1
    assert np.abs(aspects).max() < np.log(4 / 3) + 0.01
    assert aspects.mean() == pytest.approx(0, abs=0.02)
    assert np.mean([crop.flip for crop in drawn]) == pytest.approx(0.5, abs=0.03)
    # Shares up to 3/4 fit with any aspect ratio, so there they are uniform.
    always_fits = shares[shares < 0.75]
    assert np.mean(always_fits < 0.475) == pytest.approx(0.5, abs=0.04)
    for crop in drawn:
        assert 0 <= crop.top <= 600 - crop.height
        assert 0 <= crop.left <= 600 - crop.width
    centres = np.array([crop.top + crop.height / 2 for crop in drawn])
    assert centres.mean() == pytest.approx(300, abs=5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (2, 3), (40, 1000)])
def test_random_crops_lie_in_the_image_whatever_its_shape(height: int, width: int):
    for crop in crops(200, height, width):
        assert 1 <= crop.height <= height - crop.top
        assert 1 <= crop.width <= width - crop.left
        assert min(crop.top, crop.left) >= 0


def test_where_no_crop_fits_the_central_one_in_the_range_is_taken():
    assert {crop._replace(flip=False) for crop in crops(50, 30, 3000)} == {Crop(0, 1480, 30, 40, False)}
    assert {crop._replace(flip=False) for crop in crops(50, 3000, 30)} == {Crop(1480, 0, 40, 30, False)}


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_flip_probability_at_its_ends(flip: float):
    generator = np.random.default_rng(0)
    drawn = [random_crop(9, 9, scale=(0.2, 1), ratio=(1, 1), flip=flip, generator=generator) for _ in range(50)]
    assert {crop.flip for crop in drawn} == {bool(flip)}


def test_centre_crop():
    assert centre_crop(480, 640, aspect=1) == Crop(0, 80, 480, 480, False)
    assert centre_crop(640, 480, aspect=1) == Crop(80, 0, 480, 480, False)
    assert centre_crop(100, 100, aspect=2) == Crop(25, 0, 50, 100, False)
    assert centre_crop(100, 200, aspect=2) == Crop(0, 0, 100, 200, False)
    assert centre_crop(1, 7, aspect=0.1) == Crop(0, 3, 1, 1, False)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_a_crop_of_the_same_size_keeps_the_pixels(dtype: type, channels: int):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (12, 17, channels), dtype=dtype, endpoint=True)
    cut = crop_image(image, Crop(2, 3, 8, 10, False), (8, 10))
    np.testing.assert_array_equal(cut, image[2:10, 3:13].transpose(2, 0, 1), strict=True)
    flipped = crop_image(image, Crop(2, 3, 8, 10, True), (8, 10))
    np.testing.assert_array_equal(flipped, cut[:, :, ::-1], strict=True)
    whole = crop_image(image, Crop(0, 0, 12, 17, False), (12, 17))
    np.testing.assert_array_equal(whole, image.transpose(2, 0, 1), strict=True)


@pytest.mark.parametrize("size_hw", [(5, 6), (40, 50)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_resizing_is_bicubic_with_antialias(dtype: type, size_hw: tuple[int, int]):
    top = np.iinfo(dtype).max  # the values stay away from the ends, where 8 bits are clamped after each direction
    image = np.random.default_rng(1).integers(top // 4, top // 4 * 3, (16, 20, 3), dtype=dtype)
    exact = interpolate(
        torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None],
        size=size_hw, mode="bicubic", antialias=True, align_corners=False,
    )[0]  # fmt: skip
    cut = crop_image(image, Crop(0, 0, 16, 20, False), size_hw)
    assert cut.dtype == dtype
    assert cut.flags.c_contiguous
    assert np.abs(cut - exact.numpy()).max() <= (1.1 if dtype == np.uint8 else 0.6)


def test_nothing_outside_the_crop_is_looked_at():
    image = np.zeros((20, 20, 3), np.uint8)
    image[5:15, 5:15] = 200
    np.testing.assert_array_equal(crop_image(image, Crop(5, 5, 10, 10, False), (4, 4)), 200)


@pytest.mark.parametrize(("size", "new_size"), [(480, 224), (333, 224), (7, 224), (1, 5), (224, 224), (448, 224)])
def test_labels_are_taken_at_pixel_centres(size: int, new_size: int):
    ramp = np.arange(size, dtype=np.int32)
    maps = np.stack([np.broadcast_to(ramp[:, None], (size, 3)), np.broadcast_to(ramp[::-1, None], (size, 3))])
    cut = crop_label_maps(maps, Crop(0, 0, size, 3, False), (new_size, 3))
    exact = [int(Fraction(2 * i + 1, 2) * Fraction(size, new_size)) for i in range(new_size)]
    np.testing.assert_array_equal(cut[0, :, 0], exact)
    by_torch = interpolate(torch.from_numpy(maps)[None].double(), size=(new_size, 3), mode="nearest-exact")[0]
    np.testing.assert_array_equal(cut, by_torch.numpy().astype(np.int32), strict=True)


def test_label_maps_are_cut_and_flipped():
    maps = np.arange(2 * 5 * 6, dtype=np.int32).reshape(2, 5, 6)
    np.testing.assert_array_equal(crop_label_maps(maps, Crop(1, 2, 3, 4, False), (3, 4)), maps[:, 1:4, 2:6])
    np.testing.assert_array_equal(crop_label_maps(maps, Crop(1, 2, 3, 4, True), (3, 4)), maps[:, 1:4, 5:1:-1])
    assert crop_label_maps(maps[:0], Crop(0, 0, 5, 6, False), (2, 2)).shape == (0, 2, 2)


def test_image_and_label_maps_stay_together():
    labels = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), np.int32)).astype(np.int32)  # (60, 80)
    image = (labels * 20).astype(np.uint8)[..., None]
    for crop in crops(40, 60, 80):
        cut = crop_image(image, crop, (48, 48))[0].astype(int)
        cut_labels = crop_label_maps(labels[None], crop, (48, 48))[0]
        agree = np.abs(cut - cut_labels * 20) <= 8
        assert agree.mean() > 0.75, crop  # all but the blurred borders
