import numpy as np
import pytest

from rmae.data.distinct_regions import RegionLabel, choose_regions, region_maps


def choose(label_maps: np.ndarray, number: int, *, area=(0.0, 1.0), seed=0) -> tuple[RegionLabel, ...]:
    return choose_regions(label_maps, area=area, number=number, generator=np.random.default_rng(seed))


def quarters(height: int = 40, width: int = 60) -> np.ndarray:
    """A label map of four quarters, (1, H, W)."""
    rows, columns = np.arange(height) >= height // 2, np.arange(width) >= width // 2
    return (2 * rows[:, None] + columns).astype(np.int32)[None]


def test_all_regions_are_found_once():
    assert sorted(choose(quarters(), 9)) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert len(choose(quarters(), 3)) == 3


def test_the_generator_alone_decides():
    chosen = [choose(quarters(), 2, seed=seed) for seed in range(20)]
    assert chosen == [choose(quarters(), 2, seed=seed) for seed in range(20)]
    assert {label for each in chosen for _, label in each} == {0, 1, 2, 3}


def test_what_belongs_to_no_region_is_none():
    label_maps = quarters()
    label_maps[label_maps == 2] = -1
    assert sorted(choose(label_maps, 9)) == [(0, 0), (0, 1), (0, 3)]


def test_of_regions_that_are_nearly_the_same_one_is_taken():
    once_more = quarters()
    once_more[0, 19] = once_more[0, 20]  # one row less above: 0.95 of the region
    assert len(choose(np.concatenate([quarters(), once_more]), 9)) == 4
    halves = (quarters() >= 2).astype(np.int32)  # twice as large, so not the same
    assert len(choose(np.concatenate([quarters(), halves]), 9)) == 6


def test_areas_are_shares_of_the_picture_with_both_ends():
    label_maps = np.zeros((1, 10, 10), np.int32)
    label_maps[0, 0, :5], label_maps[0, 9] = 1, 2  # 0.85, 0.05 and 0.1
    assert choose(label_maps, 9, area=(0.05, 0.1)) in [((0, 1), (0, 2)), ((0, 2), (0, 1))]
    assert choose(label_maps, 9, area=(0.11, 0.84)) == ()


@pytest.mark.parametrize("size_hw", [(40, 60), (20, 30), (80, 60), (7, 111), (1, 1)])
def test_maps_of_any_size(size_hw):
    maps = region_maps(quarters(), [RegionLabel(0, label) for label in range(4)], size_hw)
    assert maps.shape == (4, *size_hw)
    assert (maps.sum(axis=0) == 1).all()
    height, width = size_hw
    assert maps[1, : height // 2, (width + 1) // 2 :].all()


def test_regions_of_overlapping_maps():
    label_maps = np.concatenate([quarters(), np.zeros((1, 40, 60), np.int32)])
    maps = region_maps(label_maps, [RegionLabel(1, 0), RegionLabel(0, 3)], (4, 6))
    assert maps[0].all()
    assert maps[1].sum() == 6


@pytest.mark.parametrize("label_maps", [np.empty((0, 8, 9), np.int32), np.full((2, 8, 9), -1, np.int32)])
def test_there_may_be_none(label_maps):
    assert choose(label_maps, 3) == ()
    assert region_maps(label_maps, [], (5, 6)).shape == (0, 5, 6)
