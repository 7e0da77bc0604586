import numpy as np
import pytest

from rmae.visual.mask_pictures import NEGATIVE_COLOUR, POSITIVE_COLOUR, draw_clicks, draw_masks, mask_colour
from rmae.visual.region_colours import REGION_COLOURS

RED, BLUE = (200, 0, 0), (0, 0, 200)


def grey(height: int, width: int, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def box(size_hw: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(size_hw, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_mask_is_a_tint_in_an_outline_with_a_dark_line_around_it():
    image = grey(7, 8)
    drawn = draw_masks(image, [box((7, 8), 2, 2, 5, 6)], colours=[RED])
    tint, dark, plain = (142, 58, 58), (45, 45, 45), (100, 100, 100)
    o, i, d, _ = RED, tint, dark, plain
    expected = [
        [_, _, _, _, _, _, _, _],
        [_, _, d, d, d, d, _, _],
        [_, d, o, o, o, o, d, _],
        [_, d, o, i, i, o, d, _],
        [_, d, o, o, o, o, d, _],
        [_, _, d, d, d, d, _, _],
        [_, _, _, _, _, _, _, _],
    ]
    np.testing.assert_array_equal(drawn, np.array(expected, np.uint8), strict=True)
    assert (image == 100).all()


def test_an_outline_is_closed_at_the_border_of_the_picture():
    drawn = draw_masks(grey(5, 6), [np.ones((5, 6), bool)], colours=[RED])
    outline = (drawn == RED).all(axis=2)
    np.testing.assert_array_equal(~outline, box((5, 6), 1, 1, 4, 5))
    corner = draw_masks(grey(5, 6), [box((5, 6), 3, 4, 5, 6)], colours=[RED])
    np.testing.assert_array_equal((corner == RED).all(axis=2), box((5, 6), 3, 4, 5, 6))
    assert (corner == 45).all(axis=2).sum() == 4


def test_lines_are_wider_in_large_pictures():
    drawn = draw_masks(grey(510, 500), [box((510, 500), 100, 100, 200, 300)], colours=[RED])
    column = drawn[90:210, 200]
    assert ((column == RED).all(axis=1).sum(), (column == 45).all(axis=1).sum()) == (6, 6)


def test_later_masks_are_on_top_and_empty_ones_leave_no_trace():
    masks = [box((9, 9), 0, 0, 9, 9), np.zeros((9, 9), bool), box((9, 9), 3, 3, 6, 6)]
    drawn = draw_masks(grey(9, 9), masks, colours=[RED, BLUE, BLUE])
    np.testing.assert_array_equal(drawn, draw_masks(grey(9, 9), masks[::2], colours=[RED, BLUE]))
    assert tuple(drawn[3, 3]) == BLUE
    assert tuple(drawn[0, 0]) == RED
    np.testing.assert_array_equal(draw_masks(grey(9, 9), []), grey(9, 9))


def test_colours_of_masks_are_distinct_and_those_of_the_house():
    colours = [mask_colour(number) for number in range(20)]
    assert tuple(colours[:7]) == REGION_COLOURS
    assert len(set(colours)) == 20
    masks = [box((5, 5), 0, 0, 2, 5), box((5, 5), 3, 0, 5, 5)]
    drawn = draw_masks(grey(5, 5), masks)
    assert (tuple(drawn[0, 0]), tuple(drawn[4, 0])) == REGION_COLOURS[:2]


def test_clicks_carry_a_sign_in_their_colour():
    drawn = draw_clicks(grey(40, 80), [(20, 20), (60, 20)], [True, False]).astype(int)
    plus, minus = drawn[:, :40], drawn[:, 40:]
    for sign, colour in ((plus, POSITIVE_COLOUR), (minus, NEGATIVE_COLOUR)):
        assert sign[19:21, 18:22].min() > 220
        assert tuple(sign[18, 18]) == colour
        np.testing.assert_array_equal(sign, sign[::-1])
    assert plus[17, 20].min() > 220
    assert tuple(minus[17, 20]) == NEGATIVE_COLOUR
    np.testing.assert_array_equal(plus, plus.transpose(1, 0, 2))


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_clicks_show_on_any_ground(ground: int):
    drawn = draw_clicks(grey(40, 40, ground), [(20, 20)], [True]).astype(int)
    assert drawn.max() - drawn.min() >= 240
    away = np.hypot(*(np.mgrid[:40, :40] + 0.5 - 20)) > 9
    assert (drawn[away] == ground).all()


def test_clicks_at_the_border_are_cut_off_and_those_outside_leave_no_trace():
    whole = draw_clicks(grey(60, 60), [(30, 30)], [True])
    corner = draw_clicks(grey(60, 60), [(0, 0)], [True])
    np.testing.assert_array_equal(corner[:20, :20], whole[30:50, 30:50])
    np.testing.assert_array_equal(draw_clicks(grey(60, 60), [(-30, 20), (20, 99)], [True, False]), grey(60, 60))


def test_clicks_are_larger_in_large_pictures():
    drawn = draw_clicks(grey(840, 840), [(400, 400)], [True])
    assert tuple(drawn[386, 400 - 8]) == POSITIVE_COLOUR  # 16 pixels from the centre


def test_wrong_arguments_are_explained():
    image = grey(4, 6)
    with pytest.raises(ValueError, match=r"mask 1 has shape \(6, 4\), but the picture has 4 x 6 pixels"):
        draw_masks(image, [np.zeros((4, 6), bool), np.zeros((6, 4), bool)])
    with pytest.raises(ValueError, match="there are 1 colours for 2 masks; give one for each"):
        draw_masks(image, [np.zeros((4, 6), bool)] * 2, colours=[RED])
    with pytest.raises(ValueError, match="there are 1 signs for 2 points; give one for each"):
        draw_clicks(image, [(1, 1), (2, 2)], [True])
