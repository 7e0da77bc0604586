import numpy as np
import pytest

from rmae.data.crops import Crop
from rmae.evaluation.segmentation.crops import ScaledCrop, draw_crop, largest_share, pad, padding_colour
from rmae.evaluation.segmentation.labels import IGNORED


def blocks(rows: int = 4, columns: int = 6, side: int = 12) -> np.ndarray:
    """Labels (48, 72) int16: a block of 12 pixels for each class."""
    return np.kron(np.arange(rows * columns).reshape(rows, columns), np.ones((side, side))).astype(np.int16)


def draw(labels: np.ndarray, seed: int, **changed: object) -> ScaledCrop:
    settings = {"scale_range": (0.5, 2.0), "max_class_share": 1.0, "flip": 0.5} | changed
    return draw_crop(labels, (32, 32), generator=np.random.default_rng(seed), **settings)


@pytest.mark.parametrize("mirrored", [False, True])
def test_picture_and_labels_are_cut_as_one(mirrored: bool):
    labels = blocks()
    image = np.repeat(labels.astype(np.uint8)[..., None] * 10, 3, axis=2)
    crop = ScaledCrop(Crop(5, 20, 30, 40, mirrored), (45, 60))
    pixels, cut = crop.cut_image(image), crop.cut_labels(labels)
    assert (pixels.shape, cut.shape) == ((3, 45, 60), (45, 60))
    assert (pixels.dtype, cut.dtype) == (np.uint8, np.int16)
    agrees = np.abs(pixels[0].astype(int) - 10 * cut) <= 1
    assert agrees.mean() > 0.7  # all but what the borders blur
    assert cut[0, 0] == (4 if mirrored else 1)


def test_labels_are_nearest_at_pixel_centres():
    labels = np.arange(6, dtype=np.int16).reshape(1, 6)
    crop = ScaledCrop(Crop(0, 0, 1, 6, False), (1, 4))
    assert crop.cut_labels(labels).tolist() == [[0, 2, 3, 5]]  # centres at 0.75, 2.25, 3.75, 5.25
    mirrored = ScaledCrop(Crop(0, 0, 1, 6, True), (1, 4))
    assert mirrored.cut_labels(labels).tolist() == [[5, 3, 2, 0]]


def test_at_scale_1_the_picture_just_covers_the_crop():
    for seed in range(20):
        crop = draw(blocks(), seed, scale_range=(1.0, 1.0))
        assert crop.size_hw == (32, 32)
        assert (crop.window.height, crop.window.width) == (48, 48)
        assert 0 <= crop.window.left <= 24
        assert crop.window.top == 0


def test_scales_reach_from_end_to_end():
    heights = [draw(blocks(), seed).window.height for seed in range(300)]
    assert min(heights) == 24
    assert max(heights) == 48
    small = [draw(blocks(), seed, scale_range=(0.5, 0.5)) for seed in range(20)]
    assert {crop.size_hw for crop in small} == {(16, 24)}  # all of the picture, too small for the crop
    assert {(crop.window.height, crop.window.width) for crop in small} == {(48, 72)}
    assert {draw(blocks(), seed, scale_range=(2, 2)).size_hw for seed in range(20)} == {(32, 32)}


def test_crops_lie_everywhere_and_are_mirrored_half_of_the_time():
    crops = [draw(blocks(), seed, scale_range=(2.0, 2.0)) for seed in range(300)]
    assert {crop.window.top for crop in crops} == set(range(25))
    assert {crop.window.left for crop in crops} == set(range(49))
    assert 0.4 < np.mean([crop.window.flip for crop in crops]) < 0.6
    assert not any(draw(blocks(), seed, flip=0.0).window.flip for seed in range(30))


def test_no_class_fills_a_crop_where_that_can_be():
    labels = np.zeros((64, 128), np.int16)
    labels[:, 80:] = 1
    settings = {"scale_range": (1.0, 1.0), "flip": 0.0}
    free = [largest_share(draw(labels, seed, **settings).cut_labels(labels)) for seed in range(200)]
    bound = [
        largest_share(draw(labels, seed, max_class_share=0.75, **settings).cut_labels(labels)) for seed in range(200)
    ]
    assert np.mean(np.array(free) > 0.75) > 0.3
    assert np.mean(np.array(bound) > 0.75) < 0.02  # ten draws in a row
    assert draw(np.zeros((64, 64), np.int16), 0, max_class_share=0.5)  # cannot be; it ends all the same


def test_the_largest_share_is_of_labelled_pixels():
    assert largest_share(np.array([[0, 0, 1, IGNORED]])) == pytest.approx(2 / 3)
    assert largest_share(np.full((2, 2), IGNORED)) == 1


def test_padding_stands_right_and_below():
    padded = pad(np.ones((3, 2, 2), np.uint8), (3, 4), padding_colour((0.5, 0.0, 1.0)))
    assert padded.dtype == np.uint8
    assert padded[:, 2, 3].tolist() == [128, 0, 255]
    assert padded[0].tolist() == [[1, 1, 128, 128], [1, 1, 128, 128], [128, 128, 128, 128]]
    full = np.ones((2, 2), np.int16)
    assert pad(full, (2, 2), IGNORED) is full
