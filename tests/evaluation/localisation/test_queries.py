import numpy as np
import pytest

from rmae.evaluation.localisation.queries import (
    NOTHING_INSIDE,
    NOTHING_OUTSIDE,
    TOO_SMALL,
    patch_distances,
    place_query,
    resize_mask,
)
from rmae.regions.placed_mask import cut_out


def box(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    mask[rows, columns] = True
    return mask


def test_the_query_is_where_the_object_covers_most_and_its_pixels_do_not_count():
    mask = box(12, 16, slice(2, 9), slice(3, 9))  # of patches of 4: rows 2, 4 and 1 of them, columns 1, 4 and 1
    query = place_query(mask, 4, min_share=0.5)
    assert not isinstance(query, str)
    assert query.patch == 1 * 4 + 1
    inside = np.array([[2, 8, 2, 0], [4, 0, 4, 0], [1, 4, 1, 0]])
    assert query.inside.reshape(3, 4).tolist() == inside.tolist()
    outside = 16 - inside
    outside[1, 1] = 0
    assert query.outside.reshape(3, 4).tolist() == outside.tolist()


@pytest.mark.parametrize(
    ("rows", "columns", "patch"),
    [
        (slice(0, 12), slice(0, 20), (1, 2)),  # three rows and five columns: the one in the middle
        (slice(0, 12), slice(4, 12), (1, 1)),  # of two columns that are equally near the left one
        (slice(0, 8), slice(0, 4), (0, 0)),  # and of two rows the upper one
        (slice(0, 12), slice(0, 11), (1, 1)),  # the third column is covered in part
    ],
)
def test_of_equal_patches_the_one_nearest_to_the_centre_asks(rows: slice, columns: slice, patch: tuple[int, int]):
    query = place_query(box(12, 24, rows, columns), 4, min_share=1.0)
    assert not isinstance(query, str)
    assert divmod(query.patch, 6) == patch


def test_the_centre_is_that_of_the_mask_not_of_its_box():
    mask = box(4, 28, slice(0, 4), slice(0, 8)) | box(4, 28, slice(0, 4), slice(16, 28))  # patches 0, 1, 4, 5, 6
    query = place_query(mask, 4, min_share=1.0)
    assert not isinstance(query, str)
    assert query.patch == 4  # the mean of the five is 3.2


def test_objects_that_cannot_be_looked_at_are_told_by_the_reason():
    half = box(8, 8, slice(0, 4), slice(0, 2))
    assert place_query(half, 4, min_share=0.51) == TOO_SMALL
    assert place_query(np.zeros((8, 8), bool), 4, min_share=0.5) == TOO_SMALL
    assert place_query(half, 4, min_share=0.5) == NOTHING_INSIDE
    assert place_query(np.ones((8, 8), bool), 4, min_share=0.5) == NOTHING_OUTSIDE
    assert place_query(box(8, 8, slice(0, 4), slice(0, 5)), 4, min_share=0.5) not in (NOTHING_INSIDE, NOTHING_OUTSIDE)


def test_masks_are_resized_nearest_at_pixel_centres():
    generator = np.random.default_rng(0)
    for picture_hw, size_hw in (((6, 9), (12, 12)), ((30, 20), (8, 8)), ((5, 7), (5, 7))):
        mask = np.zeros(picture_hw, dtype=bool)
        mask[1:-1, 2:-1] = generator.random((picture_hw[0] - 2, picture_hw[1] - 3)) < 0.5
        expected = [
            [mask[int((i + 0.5) * picture_hw[0] / size_hw[0]), int((j + 0.5) * picture_hw[1] / size_hw[1])]
             for j in range(size_hw[1])]
            for i in range(size_hw[0])
        ]  # fmt: skip
        assert resize_mask(cut_out(mask), picture_hw, size_hw).tolist() == expected


def test_distances_on_a_grid():
    found = patch_distances(np.array([0, 4]), (2, 3))
    assert found[0].tolist() == [0, 1, 2, 1, np.sqrt(2), np.sqrt(5)]
    assert found[1].tolist() == [np.sqrt(2), 1, np.sqrt(2), 1, 0, 1]
