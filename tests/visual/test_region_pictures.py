import numpy as np
import pytest

from rmae.regions.source import NO_REGION
from rmae.visual.region_colours import REGION_COLOURS
from rmae.visual.region_pictures import (
    BORDER_COLOUR,
    RegionPicture,
    RegionView,
    draw_label_map,
    region_views,
    shown_size,
    stack_by_size,
)


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _halves(height: int = 320, width: int = 480) -> np.ndarray:
    """Left half one region, right half none."""
    label_map = np.full((height, width), NO_REGION, np.int32)
    label_map[:, : width // 2] = 4
    return label_map


def _views(*label_maps: np.ndarray, image: np.ndarray | None = None) -> list[RegionView]:
    if image is None:
        image = np.full((*label_maps[0].shape, 3), 100, np.uint8)
    maps = np.stack(label_maps) if label_maps else np.empty((0, *image.shape[:2]), np.int32)
    return region_views(RegionPicture(name="a/cat.jpg", image=image, label_maps=maps))


def test_pixels_of_a_region_of_none_and_of_the_line_between() -> None:
    drawn = draw_label_map(np.full((320, 480, 3), 100, np.uint8), _halves())
    flat = np.rint(0.72 * np.array(REGION_COLOURS[0]) + 0.28 * 100)  # (90, 158, 196)
    assert (drawn[:, :239] == flat).all()
    assert (drawn[:, 239] == BORDER_COLOUR).all()
    assert (drawn[:, 240:] == 50).all()  # half as bright


def test_the_line_follows_the_border_and_the_edge_of_the_picture_is_none() -> None:
    label_map = np.full((20, 20), NO_REGION, np.int32)
    label_map[5:10, 6:12] = 0
    drawn = draw_label_map(np.zeros((20, 20, 3), np.uint8), label_map)
    line = (drawn == BORDER_COLOUR).all(axis=-1)
    expected = np.zeros((20, 20), bool)
    expected[4, 6:12] = expected[9, 6:12] = True  # the pixels above the upper and on the lower border
    expected[5:10, 5] = expected[5:10, 11] = True
    np.testing.assert_array_equal(line, expected)


def test_the_picture_shows_through_in_grey() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[:20] = (255, 0, 0)  # red is 0.299 of white, 76
    drawn = draw_label_map(photo, np.zeros((40, 40), np.int32))
    difference = drawn[0, 0].astype(int) - drawn[30, 0]
    np.testing.assert_allclose(difference, 0.28 * 76, atol=1)
    dimmed = draw_label_map(photo, np.full((40, 40), NO_REGION, np.int32))
    assert (dimmed[0, 0] == 38).all()
    assert (dimmed[30, 0] == 0).all()


def test_all_labels_below_zero_are_one_ground_without_lines() -> None:
    label_map = np.full((20, 20), NO_REGION, np.int32)
    label_map[:10] = -5
    assert (draw_label_map(np.zeros((20, 20, 3), np.uint8), label_map) == 0).all()


def test_the_smallest_region_of_a_pixel_is_on_top() -> None:
    large = np.array([[0, 0, 0, 0, -1]], np.int32)
    middle = np.array([[-1, 6, 6, 6, -1]], np.int32)
    small = np.array([[2, -1, 8, 8, -1]], np.int32)
    expected = [[2, 1, 3, 3, -1]]  # numbered map after map: 0 | 6 | 2, 8
    np.testing.assert_array_equal(stack_by_size(np.stack([large, middle, small])), expected)
    shuffled = stack_by_size(np.stack([small, large, middle]))  # now 2, 8 | 0 | 6
    np.testing.assert_array_equal(shuffled, [[0, 3, 1, 1, -1]])


def test_views_of_three_maps() -> None:
    three = _halves()  # left half: 7/16 of the picture; of the right half two parts, 1/8 and 1/64
    three[:40, :240] = NO_REGION
    three[:80, 240:] = 9
    three[280:, 240:300] = 10
    everything = np.zeros((320, 480), np.int32)
    nothing = np.full((320, 480), NO_REGION, np.int32)
    views = _views(three, everything, nothing)
    assert [view.title for view in views] == ["Picture", "Map 1", "Map 2", "Map 3"]
    assert [_plain(view.caption) for view in views] == [
        "480 \N{MULTIPLICATION SIGN} 320 pixels",
        "3 regions, median 12 %\n58 % covered",  # 12.5 % of 43.75, 12.5 and 1.5625 %; together 57.8 %
        "1 region\n100 % covered",
        "no region",
    ]
    assert [_plain(view.alt) for view in views] == [
        "a/cat.jpg: the picture",
        "a/cat.jpg: map 1: 3 regions, median 12 %, 58 % covered",
        "a/cat.jpg: map 2: 1 region, 100 % covered",
        "a/cat.jpg: map 3: no region",
    ]
    assert (views[0].image == 100).all()
    assert (views[3].image == 50).all()
    assert not (views[1].image[:, :240] == views[1].image[0, 0]).all()


def test_of_many_maps_all_together_and_the_first_two_are_shown() -> None:
    maps = [np.full((320, 480), NO_REGION, np.int32) for _ in range(10)]
    for number, label_map in enumerate(maps):
        label_map[:, 24 * number : 24 * number + 48] = 0  # each overlaps the next one by half
    views = _views(*maps)
    assert [view.title for view in views] == ["Picture", "All 10 maps", "Map 1", "Map 2"]
    assert _plain(views[1].caption) == "10 regions, median 10 %\n55 % covered, small ones on top"
    inside = ~(views[1].image == 50).all(axis=-1)
    assert inside[:, : 11 * 24].all()
    assert not inside[:, 11 * 24 :].any()


def test_without_maps_there_is_the_picture_alone() -> None:
    (view,) = _views(image=np.full((320, 480, 3), 7, np.uint8))
    assert view.title == "Picture"
    assert (view.image == 7).all()


def test_figures_are_those_of_the_whole_image_not_of_the_shrunken_one() -> None:
    label_map = np.zeros((1280, 1280), np.int32)
    label_map[2, 2] = 1  # falls between the pixels that are shown, the odd ones
    view = _views(label_map, image=np.zeros((1280, 1280, 1), np.uint8))[1]
    assert _plain(view.caption).startswith("2 regions")
    assert view.image.shape == (640, 640, 3)
    assert not (view.image == BORDER_COLOUR).all(axis=-1).any()


def test_shrinking_makes_no_regions_between_others() -> None:
    label_map = np.zeros((960, 960), np.int32)
    label_map[:, 481:] = 10
    view = _views(label_map, image=np.zeros((960, 960, 1), np.uint8))[1]
    assert view.image.shape == (640, 640, 3)
    assert len(np.unique(view.image.reshape(-1, 3), axis=0)) == 3  # two regions and the line
    assert (view.image == BORDER_COLOUR).all(axis=-1).sum(axis=1).tolist() == [1] * 640


@pytest.mark.parametrize(
    ("size_hw", "shown_hw"),
    [
        ((640, 480), (640, 480)),
        ((320, 200), (320, 200)),
        ((1280, 960), (640, 480)),
        ((3000, 4000), (480, 640)),
        ((641, 10), (640, 10)),
        ((10, 6400), (1, 640)),
        ((1, 4000), (1, 640)),
        ((319, 100), (638, 200)),
        ((32, 32), (320, 320)),
        ((1, 1), (320, 320)),
    ],
)
def test_sizes_at_which_images_are_shown(size_hw: tuple[int, int], shown_hw: tuple[int, int]) -> None:
    assert shown_size(*size_hw) == shown_hw
    image = np.zeros((*size_hw, 1), np.uint8)
    views = _views(np.zeros(size_hw, np.int32), image=image)
    assert {view.image.shape for view in views} == {(*shown_hw, 3)}


@pytest.mark.parametrize("side", [32, 400, 1280])
def test_regions_lie_where_the_picture_has_them(side: int) -> None:
    image = np.zeros((side, side, 3), np.uint8)
    label_map = np.full((side, side), NO_REGION, np.int32)
    quarter = side // 4
    image[quarter : 2 * quarter, 2 * quarter :] = 255
    label_map[quarter : 2 * quarter, 2 * quarter :] = 0
    photo, drawn = (view.image for view in _views(label_map, image=image))
    bright = photo[..., 0] > 127
    coloured = np.ptp(drawn.astype(int), axis=-1) > 20
    line = (drawn == BORDER_COLOUR).all(axis=-1)
    assert bright.mean() == pytest.approx(1 / 8, rel=0.01)  # smoothing rounds the corners off
    assert (coloured == bright)[~line].mean() > 0.999


def test_the_same_picture_is_drawn_the_same_and_nothing_is_changed() -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (64, 48, 3), np.uint8)
    label_maps = generator.integers(-1, 9, (1, 8, 6), np.int32).repeat(8, axis=1).repeat(8, axis=2)
    before = image.copy(), label_maps.copy()
    first, second = (_views(*label_maps, image=image) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one[1:] == other[1:]
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label_maps, before[1])
