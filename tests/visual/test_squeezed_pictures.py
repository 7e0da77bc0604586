import numpy as np
import pytest

from rmae.visual.outlines import OUTLINE_COLOUR as OUTLINE
from rmae.visual.pictures import HIDDEN_COLOUR, OUTLINE_COLOUR, REGION_RAMP
from rmae.visual.squeezed_pictures import draw_squeezed_region, highlight_region, show_squeezed, show_visible

SIZES = [(300, 451), (32, 48), (20, 30), (640, 13), (9, 640)]
HIDDEN = np.array([[True, False, True], [False, False, True]])  # of 16 x 24 pixels


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize("size_hw", SIZES)
def test_what_is_hidden_has_no_part_in_what_is_shown_as_visible(size_hw: tuple[int, int]) -> None:
    image, other = noise(0), noise(1)
    of_visible = ~HIDDEN.repeat(8, axis=0).repeat(8, axis=1)
    other[of_visible] = image[of_visible]
    shown = show_visible(image, HIDDEN, size_hw)
    assert shown.shape == (*size_hw, 3)
    np.testing.assert_array_equal(show_visible(other, HIDDEN, size_hw), shown)


@pytest.mark.parametrize("size_hw", SIZES)
def test_hidden_patches_are_grey_and_visible_ones_keep_their_colour(size_hw: tuple[int, int]) -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    image[:] = (200, 10, 60)
    shown = show_visible(image, HIDDEN, size_hw)
    rows, columns = (np.arange(number) * 2 * size // (2 * number) for size, number in zip(size_hw, (2, 3), strict=True))
    height, width = size_hw[0] // 2, size_hw[1] // 3
    for row in range(2):
        for column in range(3):
            place = shown[rows[row] + height // 2, columns[column] + width // 2]
            assert tuple(place) == (HIDDEN_COLOUR if HIDDEN[row, column] else (200, 10, 60))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 2  # nothing in between


def test_all_visible_is_the_picture_and_all_hidden_is_grey() -> None:
    nothing, everything = np.zeros((2, 3), bool), np.ones((2, 3), bool)
    np.testing.assert_array_equal(show_visible(noise(0), nothing, (16, 24)), noise(0))
    assert (show_visible(noise(0), everything, (50, 70)) == HIDDEN_COLOUR).all()


def test_a_squeezed_picture_takes_its_own_shape_again() -> None:
    np.testing.assert_array_equal(show_squeezed(noise(0), (16, 24)), noise(0))
    halves = np.zeros((16, 24, 3), np.uint8)
    halves[:, 12:] = 250
    shown = show_squeezed(halves, (320, 120))
    assert shown.shape == (320, 120, 3)
    assert (shown[:, :50] == 0).all()
    assert (shown[:, 70:] == 250).all()


def test_a_region_and_what_is_hidden_of_its_map() -> None:
    region = np.zeros((16, 24), bool)
    region[:8] = True
    outside, _, inside = REGION_RAMP
    drawn = draw_squeezed_region(region, (320, 480), hidden=HIDDEN)
    patches = drawn[80::160, 80::160]
    assert [tuple(map(int, colour)) for colour in patches.reshape(-1, 3)] == [
        HIDDEN_COLOUR, inside, HIDDEN_COLOUR,
        outside, outside, HIDDEN_COLOUR,
    ]  # fmt: skip
    assert (drawn[:160, 160:320] == inside).all()  # to the edge of the patch


def test_a_predicted_region_is_outlined_where_it_is_even() -> None:
    probability = np.linspace(0, 1, 24, dtype=np.float32)[None].repeat(16, axis=0)
    drawn = draw_squeezed_region(probability, (320, 480))
    [columns] = np.nonzero((drawn[100] == OUTLINE_COLOUR).all(axis=-1))
    assert len(columns) == 1
    assert 235 <= columns[0] <= 245


@pytest.mark.parametrize("size_hw", [(320, 10), (7, 320), (320, 480)])
def test_maps_of_any_shape(size_hw: tuple[int, int]) -> None:
    for region in (np.ones((16, 24), bool), np.full((16, 24), 0.7, np.float32)):
        assert draw_squeezed_region(region, size_hw, hidden=HIDDEN).shape == (*size_hw, 3)


def test_a_highlighted_region_keeps_its_colours_and_all_else_is_dark_grey() -> None:
    photo = noise(3)
    region = np.zeros((16, 24), bool)
    region[4:9, 5:20] = True
    shown = highlight_region(photo, region)
    np.testing.assert_array_equal(shown[5:8, 6:19], photo[5:8, 6:19])  # within its outline
    around = shown[~region]
    assert (around == around[:, :1]).all()
    assert around.max() < 100
    assert (shown[4, 5:20] == OUTLINE).all()
