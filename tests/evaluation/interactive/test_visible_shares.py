from itertools import pairwise

import numpy as np
import pytest

from rmae.evaluation.interactive.visible_shares import (
    NearestPixel,
    NothingMore,
    draw_order,
    num_visible,
    score_shares,
    to_pixels,
)

GRID = (4, 6)
SHARES = (0.02, 0.25, 0.5, 0.75)


def region_of(seed: int = 0) -> np.ndarray:
    """A blob of 16 x 24 pixels, in patches of 4."""
    rows, columns = np.mgrid[:16, :24]
    centre = np.random.default_rng(seed).uniform(5, 11, 2)
    return np.hypot(rows - centre[0], columns - centre[1]) < 5


def scores(region: np.ndarray, complete, seed: int = 0):
    generator = np.random.default_rng(seed)
    return score_shares(region, {"one": complete}, SHARES, GRID, generator)["one"]


@pytest.mark.parametrize("seed", range(5))
def test_patches_become_visible_in_a_random_order_that_begins_on_the_object(seed: int):
    region = region_of(seed)
    order = draw_order(region, GRID, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(24))
    row, column = divmod(int(order[0]), 6)
    assert region[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].any()
    np.testing.assert_array_equal(order, draw_order(region, GRID, np.random.default_rng(seed)))
    assert not np.array_equal(order, draw_order(region, GRID, np.random.default_rng(seed + 100)))
    nothing = draw_order(np.zeros((16, 24), bool), GRID, np.random.default_rng(seed))
    np.testing.assert_array_equal(nothing, np.random.default_rng(seed).permutation(24))


def test_at_least_one_patch_is_visible_and_one_is_not():
    assert [num_visible(share, 24) for share in (0.001, 0.25, 0.5, 0.999)] == [1, 6, 12, 23]


def test_a_perfect_completer_is_perfect_and_the_shares_are_nested():
    region, shown = region_of(), []

    def complete(known: np.ndarray, visible: np.ndarray) -> np.ndarray:
        shown.append(visible)
        return region

    found = scores(region, complete)
    assert found.hidden == found.whole == (1, 1, 1, 1)
    assert [int(visible.sum()) for visible in shown] == [1, 6, 12, 18]
    for fewer, more in pairwise(shown):
        assert (more | ~fewer).all()


def test_nothing_of_hidden_patches_is_told():
    region = region_of()

    def complete(known: np.ndarray, visible: np.ndarray) -> np.ndarray:
        pixels = to_pixels(visible, GRID, region.shape)
        np.testing.assert_array_equal(known, region & pixels)
        return np.ones_like(region)

    found = scores(region, complete)
    # Taking all hidden pixels gives the object's share of them.
    order = draw_order(region, GRID, np.random.default_rng(0))
    hidden = ~to_pixels(np.isin(np.arange(24), order[:6]), GRID, region.shape)
    assert found.hidden[1] == pytest.approx(region[hidden].mean())
    assert found.whole[1] == pytest.approx(region.sum() / (region | hidden).sum())


def test_what_is_visible_stays_as_it_was_given():
    region = region_of()
    assert scores(region, lambda known, visible: ~known & False).whole == scores(region, NothingMore()).whole
    found = scores(region, NothingMore())
    assert found.hidden == (0, 0, 0, 0)
    order = draw_order(region, GRID, np.random.default_rng(0))
    known = to_pixels(np.isin(np.arange(24), order[:12]), GRID, region.shape)
    assert found.whole[2] == pytest.approx((region & known).sum() / region.sum())


def test_the_nearest_visible_pixel_is_copied():
    region = np.zeros((8, 12), bool)
    region[:, 5:] = True  # in patches of 4, with the middle column of them hidden
    visible = np.array([True, False, True] * 2)
    known = region & to_pixels(visible, (2, 3), region.shape)
    found = NearestPixel((2, 3))(known, visible)
    expected = np.zeros((8, 12), bool)
    expected[:, 6:] = True  # columns 4 and 5 are nearer to 3, 6 and 7 to 8
    np.testing.assert_array_equal(found, expected)


def test_where_nothing_of_the_object_is_hidden_there_is_no_score():
    region = np.zeros((16, 24), bool)
    region[:4, :4] = True  # one patch, which is the first
    found = scores(region, NothingMore())
    assert np.isnan(found.hidden).all()
    assert found.whole == (1, 1, 1, 1)
    empty = scores(np.zeros((16, 24), bool), NearestPixel(GRID))
    assert np.isnan([*empty.hidden, *empty.whole]).all()


def test_all_completers_get_the_same_patches():
    seen: dict[str, list[bytes]] = {"one": [], "other": []}

    def remember(name: str):
        def complete(known: np.ndarray, visible: np.ndarray) -> np.ndarray:
            seen[name].append(visible.tobytes())
            return known

        return complete

    completers = {name: remember(name) for name in seen}
    found = score_shares(region_of(), completers, SHARES, GRID, np.random.default_rng(3))
    assert seen["one"] == seen["other"]
    assert found["one"] == found["other"]
