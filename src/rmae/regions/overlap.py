"""Overlapping masks as label maps: the one form in which regions are handed on."""

from collections.abc import Iterable

import numpy as np

from rmae.regions.source import NO_REGION


def stack_masks(masks: Iterable[np.ndarray], height: int, width: int) -> np.ndarray:
    """Spread masks over as few label maps as a first fit finds, so that no two in one map overlap.

    Args:
        masks: Each of shape (H, W) bool; empty masks are left out.
        height: H in pixels.
        width: W in pixels.

    Returns:
        Label maps, shape (S, H, W) int32, `NO_REGION` where a map has no mask; S = 0 without masks. Every mask is
        kept whole: it is the set of pixels of one label in one map.
    """
    maps: list[np.ndarray] = []
    num_labels: list[int] = []
    for mask in masks:
        if not mask.any():
            continue
        free = next((i for i, label_map in enumerate(maps) if (label_map[mask] == NO_REGION).all()), None)
        if free is None:
            free = len(maps)
            maps.append(np.full((height, width), NO_REGION, dtype=np.int32))
            num_labels.append(0)
        maps[free][mask] = num_labels[free]
        num_labels[free] += 1
    return np.stack(maps) if maps else np.empty((0, height, width), dtype=np.int32)
