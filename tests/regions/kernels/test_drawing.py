from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmae.data.crops import Crop, sample_positions
from rmae.regions.kernels.drawing import fill_packed, sampled_before, set_bits
from rmae.regions.label_runs import LabelRuns

FORMS = [pytest.param(lambda loop: loop, id="compiled"), pytest.param(lambda loop: loop.py_func, id="python")]
"""A loop as it is used, and as Python alone runs it."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 26])
def test_bits_are_set_from_left_to_before_right(form: Callable, width: int):
    for before in (0, 0b10100101):
        for left in range(width):
            for right in range(left + 1, width + 1):
                row = np.full(-(-width // 8) + 1, before, np.uint8)
                expected = np.unpackbits(row)
                expected[left:right] = 1
                form(set_bits)(row, left, right)
                np.testing.assert_array_equal(np.unpackbits(row), expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 30])
@pytest.mark.parametrize("new_size", [1, 2, 3, 7, 8, 50])
def test_centres_before_a_position_are_counted(form: Callable, size: int, new_size: int):
    sampled = sample_positions(Crop(0, 0, size, 1, False), (new_size, 1))[0]
    before = form(sampled_before)(3, size, new_size, size + 5)
    np.testing.assert_array_equal(before, [np.count_nonzero(sampled + 3 < position) for position in range(size + 6)])


def fill(
    form: Callable, label_maps: np.ndarray, slots: np.ndarray, num_regions: int, crop: Crop, size_hw: tuple[int, int]
) -> np.ndarray:
    """Regions as the loop fills them."""
    runs = LabelRuns.of(label_maps)
    rows, columns = sample_positions(crop, size_hw)
    rows_before = np.searchsorted(rows, np.arange(label_maps.shape[1] + 1))
    columns_before = np.searchsorted(columns, np.arange(runs.width + 1))
    packed = np.zeros((num_regions, size_hw[0], -(-size_hw[1] // 8)), np.uint8)
    form(fill_packed)(runs.counts, runs.lengths, runs.labels, rows_before, columns_before, crop.flip, slots, packed)
    return packed


def filled_by_numpy(
    label_maps: np.ndarray, slots: np.ndarray, num_regions: int, crop: Crop, size_hw: tuple[int, int]
) -> np.ndarray:
    rows, columns = sample_positions(crop, size_hw)
    sampled = label_maps[:, rows[:, None], columns]
    masks = np.zeros((num_regions, *size_hw), bool)
    for which, of_map in enumerate(slots):
        for label, slot in enumerate(of_map):
            if slot >= 0:
                masks[slot] |= sampled[which] == label
    return np.packbits(masks[:, :, ::-1] if crop.flip else masks, axis=-1)


@st.composite
def tasks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, Crop, tuple[int, int]]:
    """Label maps, slots, number of regions, a crop of the maps and the size that it becomes."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    num_maps, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 30))
    label_maps = generator.integers(-1, 4, (num_maps, height, width), dtype=np.int32)
    if draw(st.booleans()):
        label_maps = np.sort(label_maps, axis=2)  # long runs
    num_regions = draw(st.integers(1, 5))
    slots = generator.integers(-1, num_regions, (num_maps, 4))
    crop_height, crop_width = draw(st.integers(1, height)), draw(st.integers(1, width))
    top, left = draw(st.integers(0, height - crop_height)), draw(st.integers(0, width - crop_width))
    crop = Crop(top, left, crop_height, crop_width, draw(st.booleans()))
    return label_maps, slots, num_regions, crop, (draw(st.integers(1, 20)), draw(st.integers(1, 40)))


@given(tasks())
def test_chosen_labels_are_filled_as_numpy_does(task: tuple[np.ndarray, np.ndarray, int, Crop, tuple[int, int]]):
    np.testing.assert_array_equal(fill(lambda loop: loop, *task), filled_by_numpy(*task), strict=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flip", [False, True])
def test_a_region_that_is_written_down(form: Callable, flip: bool):
    label_maps = np.array([[[0, 0, 1, 1, 1, 2, 2, 2, 2, 0], [1, -1, -1, 0, 0, 0, 1, 1, 1, 1]]], np.int32)
    packed = fill(form, label_maps, np.array([[1, 0, -1]]), 2, Crop(0, 0, 2, 10, flip), (2, 10))
    of_label = {
        1: [[0, 0, 1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 1, 1, 1]],
        0: [[1, 1, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]],
    }
    expected = np.array([of_label[1], of_label[0]])[:, :, :: -1 if flip else 1]
    np.testing.assert_array_equal(np.unpackbits(packed, axis=-1), np.pad(expected, ((0, 0), (0, 0), (0, 6))))
