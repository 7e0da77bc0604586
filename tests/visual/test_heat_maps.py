import numpy as np
import pytest

from rmae.visual.heat_maps import HEAT_STEPS, draw_heat_map, heat_colours, mark_block, spread_evenly


def lightness(colours: np.ndarray) -> np.ndarray:
    from skimage.color import rgb2lab

    return rgb2lab(colours.astype(np.float64) / 255)[..., 0]


def grey(height: int, width: int, value: int = 128) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_the_scale_gets_lighter_step_by_step() -> None:
    assert (np.diff(lightness(heat_colours())) > 0).all()
    assert heat_colours().shape == (HEAT_STEPS, 3)


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_higher_value_is_lighter_on_any_picture(value: int) -> None:
    drawn = draw_heat_map(np.linspace(0.3, 1, 8)[None], grey(1, 8, value))
    assert (np.diff(lightness(drawn[0])) > 0).all()


def test_each_value_is_one_flat_block() -> None:
    drawn = draw_heat_map(np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]), grey(4, 9))
    blocks = drawn.reshape(2, 2, 3, 3, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 6


def test_blocks_of_sizes_that_do_not_divide_are_as_even_as_can_be() -> None:
    np.testing.assert_array_equal(spread_evenly(np.arange(3)[None], (1, 7))[0], [0, 0, 1, 1, 1, 2, 2])
    np.testing.assert_array_equal(spread_evenly(np.arange(8)[None], (1, 4))[0], [1, 3, 5, 7])  # smaller than the grid


def test_the_picture_is_to_be_seen_below_in_grey() -> None:
    picture = grey(2, 2)
    picture[0, 0], picture[1, 1] = (255, 0, 0), (0, 0, 255)
    drawn = draw_heat_map(np.zeros((1, 1)), picture).astype(int)
    assert np.ptp(drawn, axis=-1).max() < 5  # the lowest colour is black, the picture without its own colours
    assert drawn[0, 1, 0] > drawn[0, 0, 0] > drawn[1, 1, 0]  # by their lightness


def test_the_scale_runs_from_nothing_to_the_highest_value_unless_it_is_given() -> None:
    values = np.array([[2.0, 4.0]])
    np.testing.assert_array_equal(draw_heat_map(values, grey(2, 4)), draw_heat_map(values / 4, grey(2, 4)))
    np.testing.assert_array_equal(
        draw_heat_map(values, grey(2, 4), limits=(2, 4)), draw_heat_map(np.array([[0, 1]]), grey(2, 4))
    )
    np.testing.assert_array_equal(
        draw_heat_map(np.array([[-9.0, 9.0]]), grey(2, 4), limits=(0, 1)),  # what lies beyond
        draw_heat_map(np.array([[0.0, 1.0]]), grey(2, 4)),
    )
    below = draw_heat_map(np.array([[-1.0, 0.0, 1.0]]), grey(1, 3))
    np.testing.assert_array_equal(below, draw_heat_map(np.array([[0.0, 0.5, 1.0]]), grey(1, 3)))


def test_values_that_are_all_zero_are_lowest() -> None:
    expected = draw_heat_map(np.array([[0.0, 1.0]]), grey(1, 2))[:, :1].repeat(2, axis=1)
    np.testing.assert_array_equal(draw_heat_map(np.zeros((1, 2)), grey(1, 2)), expected)


def test_the_query_is_framed_and_nothing_else_changes() -> None:
    values, picture = np.arange(12.0).reshape(3, 4), grey(60, 80)
    plain, framed = draw_heat_map(values, picture), draw_heat_map(values, picture, query=(1, 2))
    changed = (plain != framed).any(axis=-1)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (18, 41, 38, 61)  # 2 pixels around [20, 40) x [40, 60)
    assert not changed[20:40, 40:60].any()
    assert (framed[18, 38:62] == 0).all()
    assert (framed[19, 39:61] == 255).all()


@pytest.mark.parametrize("block", [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_a_frame_stays_in_the_picture(block: tuple[int, int]) -> None:
    framed = mark_block(grey(60, 80), block, (3, 4))
    white = (framed == 255).all(axis=-1)
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    assert white[rows[0], columns[0] : columns[-1] + 1].all()
    assert white[rows[-1], columns[0] : columns[-1] + 1].all()
    assert white[rows[0] : rows[-1] + 1, columns[0]].all()
    assert white[rows[0] : rows[-1] + 1, columns[-1]].all()


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 2), (1, 40), (2000, 1)])
def test_pictures_of_any_size_take_any_grid(size_hw: tuple[int, int]) -> None:
    drawn = draw_heat_map(np.ones((14, 14)), grey(*size_hw), query=(13, 0))
    assert drawn.shape == (*size_hw, 3)
    assert drawn.dtype == np.uint8


def test_neither_values_nor_picture_are_changed() -> None:
    values, picture = np.eye(2), grey(40, 40)
    draw_heat_map(values, picture, query=(0, 0))
    np.testing.assert_array_equal(values, np.eye(2))
    np.testing.assert_array_equal(picture, grey(40, 40))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"^a heat map has values that are not finite; look for NaN"):
        draw_heat_map(np.array([[0.0, value]]), grey(2, 2))
