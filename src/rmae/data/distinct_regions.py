"""Regions of a picture for a person to look at: some of all, and no two alike."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.data.crops import Crop, sample_positions

_COARSE_SIDE = 64  # pixels of a side at which regions are compared
_ALIKE = 0.7  # intersection over union from which two regions count as the same one


class RegionLabel(NamedTuple):
    """Which region of a picture."""

    map: int
    """Number of the label map."""
    label: int
    """The value that its pixels carry there, >= 0."""


def choose_regions(
    label_maps: np.ndarray, *, area: tuple[float, float], number: int, generator: np.random.Generator
) -> tuple[RegionLabel, ...]:
    """Choose regions at random; of some that differ little, as those of neighbouring scales do, one at most.

    Args:
        label_maps: Shape (S, H, W) int32; each label >= 0 of each map is one region. S may be 0.
        area: Smallest and largest share of the picture that a region covers, in [0, 1].
        number: Regions to choose.
        generator: Where the randomness comes from.

    Returns:
        As many as asked for, or as there are, in random order.
    """
    candidates = _candidates(label_maps, area)
    coarse = region_maps(label_maps, candidates, (_COARSE_SIDE, _COARSE_SIDE))
    chosen: list[int] = []
    for place in generator.permutation(len(candidates)).tolist():
        if len(chosen) < number and not any(_are_alike(coarse[place], coarse[other]) for other in chosen):
            chosen.append(place)
    return tuple(candidates[place] for place in chosen)


def region_maps(label_maps: np.ndarray, regions: Sequence[RegionLabel], size_hw: tuple[int, int]) -> np.ndarray:
    """Bring regions of whole pictures to another size: nearest at pixel centres.

    Args:
        label_maps: Shape (S, H, W) int32.
        regions: R of their regions.
        size_hw: Height h and width w in pixels.

    Returns:
        Shape (R, h, w) bool.
    """
    rows, columns = sample_positions(Crop(0, 0, label_maps.shape[1], label_maps.shape[2], False), size_hw)
    labels = label_maps[:, rows[:, None], columns]
    maps = np.zeros((len(regions), *size_hw), bool)
    for map_of_region, region in zip(maps, regions, strict=True):
        map_of_region[:] = labels[region.map] == region.label
    return maps


def _candidates(label_maps: np.ndarray, area: tuple[float, float]) -> list[RegionLabel]:
    """All regions whose area is in its range."""
    found = []
    for number, label_map in enumerate(label_maps):
        labels, counts = np.unique(label_map, return_counts=True)
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
            if label >= 0 and area[0] <= count / label_map.size <= area[1]:
                found.append(RegionLabel(number, label))
    return found


def _are_alike(region: np.ndarray, other: np.ndarray) -> bool:
    union = (region | other).sum()
    return bool(union) and (region & other).sum() / union >= _ALIKE
