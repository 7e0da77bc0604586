"""Colours for the regions of a label map: neighbours differ, for colour-blind eyes too."""

import heapq

import numpy as np

from rmae.regions.source import NO_REGION

REGION_COLOURS = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
)
"""Seven colours that the common forms of colour blindness leave distinct (Okabe and Ito, "Color Universal Design",
2008), in the order in which they are taken."""

_NEAR = 10  # pixels; across a thin gap or sliver two regions look like neighbours


def colour_regions(label_map: np.ndarray) -> np.ndarray:
    """Choose a colour for each region, so that regions that touch differ, and where possible those that nearly do.

    Which regions touch is a planar graph if each is in one piece, so for them six colours would do. Scattered regions
    may need more than there are; one that finds none free takes the colour that it borders least.

    Args:
        label_map: Shape (H, W) int32; each label >= 0 is one region.

    Returns:
        Shape (H, W) int: position in `REGION_COLOURS`, `NO_REGION` where there is no region. It depends on the shapes
        of the regions and the order of their labels alone.
    """
    inside = label_map >= 0
    labels = np.unique(label_map[inside])
    numbers = np.where(inside, np.searchsorted(labels, label_map), NO_REGION)
    touching = _borders(numbers, labels.size, distance=1)
    near = _borders(numbers, labels.size, distance=_NEAR)
    chosen = _choose(touching, near)
    return np.append(chosen, NO_REGION)[numbers]  # NO_REGION is -1, which takes the last entry


def _borders(numbers: np.ndarray, num_regions: int, *, distance: int) -> list[dict[int, int]]:
    """Of each region those that lie at a distance in a row or column, and how many pixels do."""
    first = np.concatenate([numbers[:-distance].ravel(), numbers[:, :-distance].ravel()])
    second = np.concatenate([numbers[distance:].ravel(), numbers[:, distance:].ravel()])
    differ = (first != second) & (first != NO_REGION) & (second != NO_REGION)
    low, high = np.minimum(first, second)[differ], np.maximum(first, second)[differ]
    codes, lengths = np.unique(low.astype(np.int64) * num_regions + high, return_counts=True)
    borders: list[dict[int, int]] = [{} for _ in range(num_regions)]
    for code, length in zip(codes.tolist(), lengths.tolist(), strict=True):
        one, other = divmod(code, num_regions)
        borders[one][other] = borders[other][one] = length
    return borders


def _choose(touching: list[dict[int, int]], near: list[dict[int, int]]) -> np.ndarray:
    """Position in `REGION_COLOURS` of each region: of the colours that conflict least, the one used least so far."""
    chosen = np.full(len(touching), NO_REGION)
    num_uses = [0] * len(REGION_COLOURS)
    for region in _fewest_neighbours_last(touching):
        conflicts, near_conflicts = _conflicts(touching[region], chosen), _conflicts(near[region], chosen)
        # The position decides between colours that are equally good.
        colour = min(zip(conflicts, near_conflicts, num_uses, range(len(REGION_COLOURS)), strict=True))[-1]
        chosen[region] = colour
        num_uses[colour] += 1
    return chosen


def _conflicts(neighbours: dict[int, int], chosen: np.ndarray) -> list[int]:
    """Length of the border with regions that have each colour already."""
    lengths = [0] * len(REGION_COLOURS)
    for neighbour, length in neighbours.items():
        if chosen[neighbour] != NO_REGION:
            lengths[chosen[neighbour]] += length
    return lengths


def _fewest_neighbours_last(borders: list[dict[int, int]]) -> list[int]:
    """Put last the region with the fewest neighbours, before it the one with the fewest among the rest, and so on.

    In a planar graph some vertex always has at most five neighbours, so at most five come before any region here.
    """
    num_left = [len(neighbours) for neighbours in borders]
    queue = [(count, region) for region, count in enumerate(num_left)]
    heapq.heapify(queue)
    taken: dict[int, None] = {}
    while queue:
        count, region = heapq.heappop(queue)
        if region in taken or count != num_left[region]:
            continue  # an entry from before a neighbour was taken
        taken[region] = None
        for neighbour in borders[region]:
            num_left[neighbour] -= 1
            heapq.heappush(queue, (num_left[neighbour], neighbour))
    return list(reversed(taken))
