"""Overlapping masks as label maps: the one form in which regions are handed on."""

from collections.abc import Iterable

import numpy as np

from rmae.regions.placed_mask import PlacedMask, cut_out
from rmae.regions.source import NO_REGION


def stack_masks(masks: Iterable[np.ndarray | PlacedMask], height: int, width: int) -> np.ndarray:
    """Spread masks over as few label maps as a first fit finds, so that no two in one map overlap.

    Args:
        masks: Each of shape (H, W) bool, or cut down to its box, which is faster; empty masks are left out.
        height: H in pixels.
        width: W in pixels.

    Returns:
        Label maps, shape (S, H, W) int32, `NO_REGION` where a map has no mask; S = 0 without masks. Every mask is
        kept whole: it is the set of pixels of one label in one map.
    """
    placed_masks: list[PlacedMask] = []
    chosen_maps: list[int] = []
    taken: list[np.ndarray] = []  # of each map, shape (H, W) bool
    for mask in masks:
        placed = mask if isinstance(mask, PlacedMask) else cut_out(mask)
        if not placed.pixels.any():
            continue
        free = next((i for i, map_ in enumerate(taken) if not (map_[placed.box] & placed.pixels).any()), len(taken))
        if free == len(taken):
            taken.append(np.zeros((height, width), dtype=bool))
        taken[free][placed.box] |= placed.pixels
        placed_masks.append(placed)
        chosen_maps.append(free)
    # Written only now that their number is known: label maps are large, and stacking them afterwards would copy all.
    label_maps = np.full((len(taken), height, width), NO_REGION, dtype=np.int32)
    num_labels = [0] * len(taken)
    for placed, chosen in zip(placed_masks, chosen_maps, strict=True):
        np.copyto(label_maps[chosen][placed.box], num_labels[chosen], where=placed.pixels)
        num_labels[chosen] += 1
    return label_maps
