import math

import numpy as np
import pytest

from rmae.interactive.prompts import Prompt, known_region

HW = (8, 12)  # of the model; patches of 4, so 2 rows of 3


def known(prompt: Prompt, picture_hw: tuple[int, int] = HW):
    return known_region(prompt, picture_hw, model_hw=HW, patch_size=4)


def test_a_click_makes_its_patch_known_as_object():
    found = known(Prompt(points_xy=((5.0, 2.0),), positive=(True,)))
    assert found.visible.tolist() == [[False, True, False], [False, False, False]]
    expected = np.zeros(HW, bool)
    expected[:4, 4:8] = True
    assert np.array_equal(found.region, expected)


def test_pixels_of_a_patch_are_what_the_nearest_mark_says():
    found = known(Prompt(points_xy=((4.5, 0.5), (7.5, 0.5)), positive=(True, False)))
    assert found.visible.sum() == 1
    assert found.region[0, 4:8].tolist() == [True, True, False, False]
    assert found.region[:, 4:6][:4].all()
    assert not found.region[:, :4].any()


def test_clicks_beside_the_object_make_patches_known_as_background():
    found = known(Prompt(points_xy=((1, 1), (10, 6)), positive=(True, False)))
    assert found.visible.tolist() == [[True, False, False], [False, False, True]]
    assert found.region[:4, :4].all()
    assert found.region.sum() == 16


def test_of_two_points_in_one_pixel_of_the_model_the_later_one_counts():
    points = ((10.0, 10.0), (11.0, 11.0))
    for positive in ((True, False, True), (True, True, False)):
        prompt = Prompt(points_xy=((900.0, 700.0), *points), positive=positive)
        assert known(prompt, picture_hw=(800, 1200)).region[0, 0] == positive[-1]


def test_marks_are_scaled_to_the_model():
    found = known(Prompt(points_xy=((119.9, 799.9),), positive=(True,)), picture_hw=(800, 120))
    assert found.visible.tolist() == [[False, False, False], [False, False, True]]


def test_a_mark_at_the_last_edge_is_in_the_last_pixel():
    """The product of the last number before 3672 and 64 / 3672 is rounded up to 64."""
    last = math.nextafter(3672, 0)
    marks = Prompt(points_xy=((last, last),), positive=(True,))
    found = known_region(marks, (3672, 3672), model_hw=(64, 64), patch_size=16)
    assert found.visible[-1, -1]
    assert found.visible.sum() == 1


def test_patches_outside_of_a_box_are_background_and_its_middle_is_object():
    found = known(Prompt(box_xyxy=(4, 0, 12, 4)))
    assert found.visible.tolist() == [[True, False, True], [True, True, True]]
    assert found.region[:4, 8:].all()  # the middle, (8, 2), is the corner of that patch
    assert found.region.sum() == 16


def test_a_box_takes_the_users_word_for_where_the_object_is():
    found = known(Prompt(box_xyxy=(3.9, 0, 12, 4), points_xy=((5, 1),), positive=(True,)))
    assert found.visible.tolist() == [[False, True, False], [True, True, True]]
    assert found.region.sum() == 16


def test_the_middle_of_a_box_is_that_of_its_part_in_the_picture():
    found = known(Prompt(box_xyxy=(-50, -50, 12, 4)))
    assert found.visible.tolist() == [[False, True, False], [True, True, True]]
    assert found.region[:4, 4:8].all()  # it has (6, 2)
    assert known(Prompt(box_xyxy=(-50, -50, 500, 500))).region[4:, 4:8].all()


def test_a_mark_outside_of_the_box_counts():
    found = known(Prompt(box_xyxy=(4, 0, 12, 4), points_xy=((5, 1), (1, 6)), positive=(True, True)))
    assert found.region[4:, :4].all()


def test_scribbles_mark_every_patch_they_cross():
    scribbles = np.zeros((80, 120), np.int8)
    scribbles[5, 5:70] = 1
    scribbles[75, 110] = -1
    found = known(Prompt(scribbles=scribbles), picture_hw=(80, 120))
    assert found.visible.tolist() == [[True, True, False], [False, False, True]]
    assert found.region[:4, :8].all()
    assert found.region.sum() == 32


def test_a_mark_is_certain_where_it_is_and_less_so_away_from_it():
    certainty = known(Prompt(points_xy=((5.5, 2.5),), positive=(True,))).certainty
    assert certainty[2, 5] == 1
    assert 0 < certainty[2, 7] < certainty[2, 6] < 1
    assert not certainty[4:].any()
    boxed = known(Prompt(box_xyxy=(4, 0, 12, 4))).certainty
    assert (boxed[4:] == 1).all()


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({}, "nothing marks the object"),
        ({"points_xy": ((1, 1),), "positive": (False,)}, "nothing marks the object"),
        ({"scribbles": np.full(HW, -1, np.int8)}, "nothing marks the object"),
        (
            {"scribbles": np.full(HW, 255, np.uint8)},
            r"scribbles \(uint8\) hold something else than the whole numbers 1",
        ),
        ({"scribbles": np.full(HW, 0.7)}, r"scribbles \(float64\) hold something else"),
        ({"scribbles": np.full(HW, -2, np.int8)}, r"scribbles \(int8\) hold something else"),
        ({"points_xy": ((1, 1),)}, "1 points and 0 values of positive"),
        ({"box_xyxy": (3, 0, 3, 4)}, "left < right"),
        ({"box_xyxy": (0, math.nan, 3, 4)}, "left < right"),
    ],
)
def test_malformed_marks_are_explained(marks, sentence):
    with pytest.raises(ValueError, match=sentence):
        Prompt(**marks)


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({"points_xy": ((12, 1),), "positive": (True,)}, r"point \(12, 1\) lies beside the picture of 12 x 8"),
        ({"points_xy": ((1, -0.1),), "positive": (True,)}, "lies beside"),
        ({"points_xy": ((math.nan, 1),), "positive": (True,)}, "lies beside"),
        ({"box_xyxy": (12, 0, 14, 4)}, "box .* lies beside"),
        ({"box_xyxy": (0, 0, math.inf, 4)}, "box .* lies beside"),
        ({"scribbles": np.ones((8, 11), np.int8)}, r"scribbles have shape \(8, 11\); the picture has \(8, 12\)"),
    ],
)
def test_marks_beside_the_picture_are_explained(marks, sentence):
    with pytest.raises(ValueError, match=sentence):
        Prompt(**marks).check_fits(HW)
