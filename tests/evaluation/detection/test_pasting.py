import numpy as np
import pytest

from rmae.evaluation.detection.jitter import fit
from rmae.evaluation.detection.pasting import boxes_in_picture, paste_mask


def paste(probability, box, picture_hw=(20, 30)):
    placed = paste_mask(np.asarray(probability, float), np.array(box, float), picture_hw)
    whole = np.zeros(picture_hw, bool)
    whole[placed.box] = placed.pixels
    return whole


def test_boxes_go_back_to_the_picture():
    placement = fit((100, 200), (64, 64))  # scaled to 32 x 64
    boxes = np.array([[0, 0, 64, 32], [16, 8, 32, 16]], np.float32)
    assert boxes_in_picture(boxes, placement).tolist() == [[0, 0, 200, 100], [50, 25, 100, 50]]


def test_a_full_mask_fills_the_pixels_whose_centres_lie_in_the_box():
    whole = paste(np.ones((28, 28)), (3.4, 2.6, 7.5, 5.0))
    expected = np.zeros((20, 30), bool)
    expected[3:5, 3:7] = True  # centres 3.5 to 6.5 across (7.5 lies on the edge, outside), 3.5 and 4.5 down
    assert np.array_equal(whole, expected)


def test_a_mask_of_cells_of_one_pixel_is_pasted_as_it_is():
    cells = np.random.default_rng(0).random((28, 28)) < 0.5
    assert np.array_equal(paste(cells, (1, 2, 29, 30), (32, 32))[2:30, 1:29], cells)


def test_between_cells_the_border_lies_where_the_probability_crosses_one_half():
    """Two cells of 10 pixels, 0.9 and 0.1: by symmetry the border is in the middle."""
    whole = paste([[0.9, 0.1]] * 2, (0, 0, 20, 20))
    assert whole[:, :10].all()
    assert not whole[:, 10:].any()


@pytest.mark.parametrize("box", [(-10, -10, 10, 10), (25, 15, 40, 40)])
def test_what_lies_outside_of_the_picture_is_cut_off(box):
    whole = paste(np.ones((4, 4)), box)
    assert whole.sum() == {-10: 10 * 10, 25: 5 * 5}[box[0]]


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (4.6, 5, 5.4, 9), (40, 40, 50, 50)])
def test_boxes_without_the_centre_of_a_pixel_have_no_mask(box):
    assert not paste(np.ones((4, 4)), box).any()
