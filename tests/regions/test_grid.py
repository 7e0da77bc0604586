import numpy as np
import pytest

from rmae.regions.grid import Grid


def test_rectangles_are_numbered_row_after_row():
    maps = Grid(rows=2, columns=3)(np.zeros((4, 3, 3), np.uint8), "")
    np.testing.assert_array_equal(maps, np.array([[[0, 1, 2]] * 2 + [[3, 4, 5]] * 2], np.int32), strict=True)


@pytest.mark.parametrize(("height", "width"), [(13, 22), (4, 5), (480, 640)])
def test_sides_differ_by_at_most_one_pixel(height: int, width: int):
    (labels,) = Grid(rows=4, columns=5)(np.zeros((height, width, 3), np.uint8), "")
    np.testing.assert_array_equal(np.unique(labels), np.arange(20))
    heights = np.bincount(labels[:, 0] // 5)
    widths = np.bincount(labels[0])
    assert (heights.sum(), widths.sum()) == (height, width)
    assert np.ptp(heights) <= 1
    assert np.ptp(widths) <= 1
    np.testing.assert_array_equal(np.bincount(labels.ravel()), np.outer(heights, widths).ravel())


def test_a_small_image_has_fewer():
    maps = Grid(rows=4, columns=9)(np.zeros((2, 3, 1), np.uint8), "")
    np.testing.assert_array_equal(maps, [[[0, 1, 2], [3, 4, 5]]])


@pytest.mark.parametrize("name", ["rows", "columns"])
def test_numbers_below_one_are_refused(name: str):
    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        Grid(**{name: 0})
