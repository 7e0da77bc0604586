import numpy as np
import pytest

from rmae.regions.source import NO_REGION
from rmae.visual.region_colours import REGION_COLOURS, colour_regions


def _touching(label_map: np.ndarray) -> set[tuple[int, int]]:
    pairs = set()
    for first, second in ((label_map[:-1], label_map[1:]), (label_map[:, :-1], label_map[:, 1:])):
        pairs |= set(zip(first[first != second].tolist(), second[first != second].tolist(), strict=True))
    return {pair for pair in pairs if min(pair) >= 0}


def _colour_of(label_map: np.ndarray, colours: np.ndarray) -> dict[int, int]:
    """The one colour of each region; fails where a region has two."""
    found = {}
    for label in np.unique(label_map[label_map >= 0]).tolist():
        (found[label],) = np.unique(colours[label_map == label]).tolist()
    return found


def _voronoi(num_regions: int, seed: int, side: int = 80) -> np.ndarray:
    """Cells around random points: each in one piece, all neighbours of some other."""
    points = np.random.default_rng(seed).uniform(0, side, (num_regions, 2))
    grid = np.indices((side, side)).transpose(1, 2, 0)[:, :, None]  # (side, side, 1, 2)
    return ((grid - points) ** 2).sum(axis=-1).argmin(axis=-1).astype(np.int32)


@pytest.mark.parametrize("seed", range(5))
def test_regions_that_touch_differ(seed: int) -> None:
    label_map = _voronoi(60, seed)
    chosen = _colour_of(label_map, colour_regions(label_map))
    touching = _touching(label_map)
    assert len(touching) > 100
    assert all(chosen[one] != chosen[other] for one, other in touching)
    assert set(chosen.values()) == set(range(len(REGION_COLOURS)))  # all colours are made use of


def test_two_regions_far_apart_get_the_first_two_colours() -> None:
    label_map = np.array([[3, 3, -1, 9, 9]], np.int32).repeat(30, axis=0).repeat(20, axis=1)
    colours = colour_regions(label_map)
    # Nothing touches, and both lie further apart than counts as near: the second takes the colour not used yet.
    np.testing.assert_array_equal(colours[0, ::20], [1, 1, NO_REGION, 0, 0])
    assert (colours == colours[:1]).all()


def test_regions_across_a_thin_gap_differ() -> None:
    teeth = np.full((24, 400), NO_REGION, np.int32)
    for tooth in range(40):  # labels in an order in which taking turns with seven colours gives equal neighbours
        teeth[:, 10 * tooth : 10 * tooth + 6] = (7 * tooth) % 40
    colours = colour_regions(teeth)[0]
    assert all(colours[10 * tooth] != colours[10 * tooth + 10] for tooth in range(39))


def test_regions_on_both_sides_of_a_sliver_differ() -> None:
    stripes = np.zeros((24, 400), np.int32)
    widths = [16, 4] * 20
    stripes[:] = np.arange(40).repeat(widths)
    colours = colour_regions(stripes)[0][np.cumsum(widths) - 1]
    assert (colours[1:] != colours[:-1]).all()
    assert (colours[2::2] != colours[:-2:2]).all()  # the wide ones


def test_a_region_for_which_no_colour_is_left_takes_the_one_it_borders_least() -> None:
    # Eight regions, each touching all others three times, but for 3 and 0. Region 0 is the last to get a colour.
    num_regions = len(REGION_COLOURS) + 1
    pairs = [(i, j) for i in range(num_regions) for j in range(i)]
    rows = [np.array([[i, j]]).repeat(1 if (i, j) == (3, 0) else 3, axis=0) for i, j in pairs]
    label_map = np.full((200, 2), NO_REGION, np.int32)
    row = 0
    for block in rows:
        label_map[row : row + len(block)] = block
        row += len(block) + 1
    chosen = _colour_of(label_map, colour_regions(label_map))
    assert len(set(chosen.values())) == len(REGION_COLOURS)
    assert chosen[3] == chosen[0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (3, 4)])
def test_maps_smaller_than_what_counts_as_near(shape: tuple[int, int]) -> None:
    label_map = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    colours = colour_regions(label_map)
    assert colours.shape == shape
    assert all(colours.flat[one] != colours.flat[other] for one, other in _touching(label_map))


def test_negative_labels_are_no_region() -> None:
    np.testing.assert_array_equal(colour_regions(np.array([[-1, -7], [0, -2]], np.int32)), [[-1, -1], [0, -1]])
    np.testing.assert_array_equal(colour_regions(np.full((4, 4), -1, np.int32)), np.full((4, 4), -1))


def test_only_the_order_of_labels_matters() -> None:
    label_map = _voronoi(30, seed=7)
    np.testing.assert_array_equal(colour_regions(label_map), colour_regions(label_map * 1000 + 5))
    np.testing.assert_array_equal(colour_regions(label_map), colour_regions(label_map.copy()))
