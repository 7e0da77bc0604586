import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from rmae.regions.coco_polygons import draw_polygons

# pycocotools' own decoding of masks, with which ours is compared.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")


def draw(polygons: list[list[float]], height: int, width: int) -> np.ndarray:
    placed = draw_polygons([np.array(polygon, dtype=np.float64) for polygon in polygons], height, width)
    mask = np.zeros((height, width), dtype=bool)
    mask[placed.box] = placed.pixels
    return mask


def test_a_rectangle_covers_its_pixels():
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:7] = True
    np.testing.assert_array_equal(draw([[2, 1, 7, 1, 7, 4, 2, 4]], 6, 8), expected)


def test_polygons_of_one_instance_are_one_mask():
    left, right = [0, 0, 3, 0, 3, 2, 0, 2], [2, 0, 5, 0, 5, 2, 2, 2]
    both = draw([left, right], 2, 6)
    np.testing.assert_array_equal(both, draw([left], 2, 6) | draw([right], 2, 6))
    np.testing.assert_array_equal(both, [[1, 1, 1, 1, 1, 0]] * 2)


def test_what_reaches_out_of_the_image_is_cut_off():
    assert draw([[-1.5, -0.3, 8.4, -0.3, 8.4, 7.1, -1.5, 7.1]], 6, 8).all()


def test_a_polygon_outside_covers_nothing():
    assert not draw([[9, 1, 12, 1, 12, 4]], 6, 8).any()


@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.lists(st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), min_size=3, max_size=9), min_size=1, max_size=3),
)
def test_masks_are_those_of_pycocotools(height: int, width: int, shares: list[list[tuple[float, float]]]):
    # Corners are given as shares of the longer side, which is how far out they may lie.
    longer = max(height, width)
    polygons = [[share * longer for corner in polygon for share in corner] for polygon in shares]
    for polygon in polygons:
        polygon[0::2] = np.minimum(polygon[0::2], width + longer).tolist()
        polygon[1::2] = np.minimum(polygon[1::2], height + longer).tolist()
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))
    np.testing.assert_array_equal(draw(polygons, height, width), expected.astype(bool))


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([], "an instance has no polygon; leave out annotations without a segmentation"),
        ([[]], "a polygon has 0 numbers; give x and y of at least 3 corners"),
        ([[1, 1, 5, 5]], "a polygon has 4 numbers"),
        ([[1, 1, 5, 5, 3]], "a polygon has 5 numbers"),
        ([[1, 1, 5, 1, 5, 5], [1, 1, 5, 5, 3, 4, 2]], "a polygon has 7 numbers"),
        ([[1, 1, 5, 1, float("nan"), 5]], "a polygon has a corner that is not finite"),
        ([[1, 1, 5, 1, float("inf"), 5]], "a polygon has a corner that is not finite"),
        (
            [[1, 1, 5, 1, 1e300, 5]],
            r"a polygon reaches from \[1.0, 1.0\] to \[1e\+300, 5.0\] \(x, y\), absurdly far out",
        ),
        ([[1, 1, 5, 1, 16.1, 5]], "absurdly far out of an image of 6 x 8 pixels"),
        ([[1, 1, 5, 1, 5, 14.1]], "absurdly far out"),
        ([[-8.1, 1, 5, 1, 5, 5]], "absurdly far out"),
        ([[0, 0, 8, 6] * 2000], "a polygon has an outline of 32000 pixels, absurdly long in an image of 6 x 8"),
    ],
)
def test_what_c_code_must_not_see_is_explained(polygons: list[list[float]], message: str):
    with pytest.raises(ValueError, match=message):
        draw(polygons, 6, 8)
