import numpy as np
import pytest

from rmae.regions.placed_mask import PlacedMask, cut_out


def test_box_is_the_smallest_that_holds_the_mask():
    mask = np.zeros((5, 7), bool)
    mask[1, 4] = mask[3, 2] = True
    placed = cut_out(mask)
    assert (placed.top, placed.left) == (1, 2)
    np.testing.assert_array_equal(placed.pixels, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    assert placed.box == (slice(1, 4), slice(2, 5))


def test_empty_mask_has_an_empty_box():
    assert cut_out(np.zeros((5, 7), bool)).pixels.shape == (0, 0)


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_pasting_the_box_gives_the_mask_back(share: float):
    generator = np.random.default_rng(0)
    for size in ((1, 1), (1, 6), (9, 4)):
        mask = generator.random(size) < share
        pasted = np.zeros(size, bool)
        placed: PlacedMask = cut_out(mask)
        pasted[placed.box] = placed.pixels
        np.testing.assert_array_equal(pasted, mask)
