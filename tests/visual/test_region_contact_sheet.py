import numpy as np
import pytest

from rmae.visual.region_contact_sheet import draw_region_sheet
from rmae.visual.region_pictures import BORDER_COLOUR, RegionPicture
from rmae.visual.region_sheet import RegionSheet, RegionStatistics

WIDTH = 1660
PHOTO = (30, 200, 90)
NOTICE = (255, 244, 214)
BARS = (0x2F, 0x66, 0xD0)


def _picture(num_maps: int, *, name: str = "cat.jpg", size_hw: tuple[int, int] = (380, 380)) -> RegionPicture:
    label_maps = np.full((num_maps, *size_hw), -1, np.int32)
    label_maps[:, :, : size_hw[1] // 2] = 0
    return RegionPicture(name=name, image=np.full((*size_hw, 3), PHOTO, np.uint8), label_maps=label_maps)


def _draw(*pictures: RegionPicture, counts: tuple[int, ...] = (2, 1), title: str = "photos") -> np.ndarray:
    statistics = RegionStatistics(
        num_images=5, regions_per_image=np.array(counts, int), areas=np.full(sum(counts), 0.25), bytes_per_image=None
    )
    sheet = RegionSheet(title=title, summary={"Source": "made up"}, statistics=statistics, pictures=pictures)
    return draw_region_sheet(sheet)


def _is(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (drawn == colour).all(axis=-1)


def _corners(found: np.ndarray) -> list[tuple[int, int]]:
    """Row and column of the upper left corner of each separate rectangle."""
    inner = np.pad(found, ((1, 0), (1, 0)))
    starts = inner[1:, 1:] & ~inner[:-1, 1:] & ~inner[1:, :-1]
    return [(int(row), int(column)) for row, column in np.argwhere(starts)]


@pytest.mark.parametrize("num_maps", [0, 1, 3, 12])
def test_a_sheet_is_one_rgb_picture_of_fixed_width(num_maps: int) -> None:
    drawn = _draw(_picture(num_maps))
    assert drawn.dtype == np.uint8
    assert drawn.shape[1:] == (WIDTH, 3)
    for edge in (drawn[:40], drawn[-40:], drawn[:, :40], drawn[:, -40:]):
        assert (edge == 255).all()  # the margin


def test_each_photograph_stands_whole_in_the_first_column_with_its_maps_beside_it() -> None:
    drawn = _draw(_picture(3), _picture(5))
    (first, second) = _corners(_is(drawn, PHOTO))
    for row, column in (first, second):
        assert column == 40
        assert _is(drawn[row : row + 380, 40 : 40 + 380], PHOTO).all()
        for number in (1, 2, 3):
            view = drawn[row : row + 380, 40 + number * 400 : 420 + number * 400]
            assert _is(view[:, 189], BORDER_COLOUR).all()  # the line where the region ends in the middle
            assert not _is(view, (255, 255, 255))[:, :189].any()
    assert second[0] > first[0] + 380


def test_two_small_cards_share_a_row() -> None:
    corners = _corners(_is(_draw(_picture(1), _picture(1), _picture(1)), PHOTO))
    assert [column for _, column in corners] == [40, 40 + 800, 40]
    assert corners[0][0] == corners[1][0] < corners[2][0]


def test_a_card_that_finds_no_room_begins_a_row_of_its_own() -> None:
    corners = _corners(_is(_draw(_picture(1), _picture(3), _picture(1), _picture(1)), PHOTO))
    assert [column for _, column in corners] == [40, 40, 40, 40 + 800]
    corners = _corners(_is(_draw(_picture(1), _picture(2)), PHOTO))  # two and three columns
    assert [column for _, column in corners] == [40, 40]


@pytest.mark.parametrize("size_hw", [(320, 640), (640, 320), (1, 900), (900, 1), (8, 8)])
def test_pictures_keep_their_shape(size_hw: tuple[int, int]) -> None:
    drawn = _draw(_picture(0, size_hw=size_hw))
    rows, columns = np.nonzero(_is(drawn, PHOTO))
    shown = (np.ptp(rows) + 1, np.ptp(columns) + 1)
    longer = max(size_hw)
    assert shown == tuple(max(1, round(side * 380 / longer)) for side in size_hw)


def test_warnings_stand_on_a_ground_of_their_own() -> None:
    assert not _is(_draw(_picture(1)), NOTICE).any()
    of_the_store = _is(_draw(counts=(0, 1)), NOTICE)
    assert of_the_store.any(axis=0).sum() == WIDTH - 80
    of_a_picture = _is(_draw(_picture(0)), NOTICE)
    assert of_a_picture.any(axis=0).sum() == 380


def test_histograms_are_drawn_where_there_is_something_to_count() -> None:
    assert _is(_draw(), BARS).sum() > 10_000
    assert not _is(_draw(counts=()), BARS).any()
    assert not _is(_draw(counts=(0, 0)), BARS).any()


def test_the_letters_of_histograms_are_smooth() -> None:
    drawn = _draw()
    rows = _is(drawn, BARS).any(axis=1)
    grey = np.ptp(drawn[rows].astype(int), axis=-1) < 40
    # Darker than the grid, lighter than the ink: the edges of letters.
    between = (drawn[rows] > 60).all(axis=-1) & (drawn[rows] < 200).all(axis=-1)
    assert (grey & between).sum() > 50


def test_the_words_are_there() -> None:
    assert not np.array_equal(_draw(title="photos"), _draw(title="phones"))
    assert not np.array_equal(_draw(_picture(1, name="a")), _draw(_picture(1, name="b")))


@pytest.mark.parametrize("name", ["a_long_folder/" * 40 + "<b>x</b>.jpg", "caf\udce9.jpg", "two\nlines", "猫.jpg", ""])
def test_odd_names(name: str) -> None:
    assert _draw(_picture(1, name=name)).shape[1] == WIDTH


def test_the_same_sheet_gives_the_same_picture() -> None:
    np.testing.assert_array_equal(_draw(_picture(4)), _draw(_picture(4)))
