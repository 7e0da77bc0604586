"""Merging pixels into segments along sorted edges, at several scales at once.

Scales agree for long on what belongs together. So there is one forest of *shared* segments, each whole at every scale,
and for each scale a forest whose leaves are shared segments. Two shared segments that every scale has treated alike so
far need one decision for all: a threshold grows with the scale, so what the smallest scale joins all scales join, and
what the largest keeps apart all keep apart.
"""

import numpy as np

from rmae.regions.kernels.compiled import compiled
from rmae.regions.kernels.sorting import sort_edges


def merge_segments(
    costs: np.ndarray,
    edges: np.ndarray,
    starts: np.ndarray,
    lowest: np.ndarray,
    *,
    width: int,
    scales: np.ndarray,
    min_sizes: np.ndarray,
) -> np.ndarray:
    """Segment an image at several scales.

    Args:
        costs: Cost of each edge by direction and pixel, shape (4, N) float64.
        edges: All edges, shape (E,) uint32, distributed over ranges of cost; overwritten.
        starts: Where each range starts and the last one ends, shape (ranges + 1,).
        lowest: A cost that no edge of a range is below, shape (ranges,).
        width: W in pixels.
        scales: Each over 255, ascending, shape (S,) float64.
        min_sizes: Smallest segment in pixels at each scale, shape (S,) int64.

    Returns:
        Label maps, shape (S, N) int32.
    """
    num_pixels, num_scales = costs.shape[1], len(scales)
    shared = np.arange(num_pixels, dtype=np.int32)
    parents = np.tile(shared, (num_scales, 1))
    # What is looked up together lies together: size and threshold of one segment, in 8 bytes.
    nodes = np.ones((num_pixels, num_scales, 2), dtype=np.int32)
    sizes, thresholds = nodes[..., 0], nodes.view(np.float32)[..., 1]
    thresholds[:] = scales
    split = np.zeros(num_pixels, dtype=np.bool_)
    # Pixels that an edge joins, from the one that counts it, by direction.
    offsets = np.array([[0, 1], [0, width], [0, width + 1], [1, width]])
    _merge_ranges(costs, edges, starts, lowest, offsets, shared, parents, sizes, thresholds, split, scales, min_sizes)
    labels = np.empty((num_scales, num_pixels), dtype=np.int32)
    for scale in range(num_scales):
        _label(parents[scale], labels[scale])
    return labels


@compiled
def _merge_ranges(costs, edges, starts, lowest, offsets, shared, parents, sizes, thresholds, split, scales, min_sizes):
    """Merge range by range. Edges that small segments may need later are kept where edges of past ranges stood."""
    num_undecided = 0
    for which in range(len(lowest)):
        chosen = edges[starts[which] : starts[which + 1]]
        if which > 0:
            chosen = chosen[: _choose(chosen, lowest[which], offsets, shared, parents, sizes, thresholds, min_sizes)]
        if len(chosen) == 0:
            continue
        chosen_costs = sort_edges(chosen, costs)
        undecided = _merge(chosen, chosen_costs, offsets, shared, parents, sizes, thresholds, split, scales, min_sizes)
        for i in range(undecided):
            edges[num_undecided + i] = chosen[i]
        num_undecided += undecided
    for scale in range(len(scales)):
        _merge_small(edges[:num_undecided], offsets, shared, parents[scale], sizes[:, scale], min_sizes[scale])


@compiled
def _choose(edges, lowest, offsets, shared, parents, sizes, thresholds, min_sizes):
    """Move the edges that may still matter to the front, in their order; returns their number.

    An edge does not matter at a scale where it lies inside a segment, or where its segments are large enough and one
    of them can grow no more, since its threshold is not above any cost to come.
    """
    num_scales = len(parents)
    for pixel in range(len(shared)):
        shared[pixel] = shared[shared[pixel]]
    between = 0
    for i in range(len(edges)):  # without a branch: which way it goes cannot be predicted
        edge = np.int64(edges[i])
        pixel, direction = edge >> 2, edge & 3
        edges[between] = edges[i]
        between += shared[pixel + offsets[direction, 0]] != shared[pixel + offsets[direction, 1]]
    chosen = 0
    for i in range(between):
        edge = np.int64(edges[i])
        pixel, direction = edge >> 2, edge & 3
        first, second = np.int64(shared[pixel + offsets[direction, 0]]), np.int64(shared[pixel + offsets[direction, 1]])
        for scale in range(num_scales):
            a, b = _root(parents[scale], first), _root(parents[scale], second)
            if a == b:
                continue
            final = thresholds[a, scale] <= lowest or thresholds[b, scale] <= lowest
            if not final or sizes[a, scale] < min_sizes[scale] or sizes[b, scale] < min_sizes[scale]:
                edges[chosen] = edges[i]
                chosen += 1
                break
    return chosen


@compiled
def _merge(edges, costs, offsets, shared, parents, sizes, thresholds, split, scales, min_sizes):
    """Join segments along sorted edges; moves edges that small segments may need to the front, returns their number."""
    largest, largest_min_size = len(scales) - 1, min_sizes.max()
    undecided = 0
    for i in range(len(edges)):
        edge = np.int64(edges[i])
        pixel, direction = edge >> 2, edge & 3
        first = _root(shared, pixel + offsets[direction, 0])
        second = _root(shared, pixel + offsets[direction, 1])
        if first == second:
            continue
        cost = costs[i]
        if not (split[first] or split[second]):
            if cost < min(thresholds[first, 0], thresholds[second, 0]):
                root, other = min(first, second), max(first, second)
                shared[other] = root
                size = sizes[root, 0] + sizes[other, 0]
                for scale in range(len(scales)):
                    sizes[root, scale] = size
                    thresholds[root, scale] = cost + scales[scale] / size
                continue
            if cost >= min(thresholds[first, largest], thresholds[second, largest]):
                if sizes[first, 0] < largest_min_size or sizes[second, 0] < largest_min_size:
                    edges[undecided] = edges[i]
                    undecided += 1
                continue
        if _merge_each_scale(cost, first, second, shared, parents, sizes, thresholds, split, scales, min_sizes):
            edges[undecided] = edges[i]
            undecided += 1
    return undecided


@compiled
def _merge_each_scale(cost, first, second, shared, parents, sizes, thresholds, split, scales, min_sizes):
    """Decide on two shared segments scale by scale; returns whether a small segment may need the edge later."""
    apart, too_small = False, False
    for scale in range(len(scales)):
        a, b = _root(parents[scale], first), _root(parents[scale], second)
        if a == b:
            continue
        if cost < min(thresholds[a, scale], thresholds[b, scale]):
            root = _join(a, b, parents[scale], sizes[:, scale])
            thresholds[root, scale] = cost + scales[scale] / sizes[root, scale]
            split[first] = split[second] = True
        else:
            apart = True
            too_small |= sizes[a, scale] < min_sizes[scale] or sizes[b, scale] < min_sizes[scale]
    if not apart:
        shared[max(first, second)] = min(first, second)
    return too_small


@compiled
def _merge_small(edges, offsets, shared, parents, sizes, min_size):
    """Join segments below the smallest size to a neighbour, along sorted edges, in a forest of all pixels."""
    for pixel in range(len(shared)):
        shared[pixel] = shared[shared[pixel]]
        parents[pixel] = parents[parents[shared[pixel]]]
    for i in range(len(edges)):
        edge = np.int64(edges[i])
        pixel, direction = edge >> 2, edge & 3
        a, b = _root(parents, pixel + offsets[direction, 0]), _root(parents, pixel + offsets[direction, 1])
        if a != b and (sizes[a] < min_size or sizes[b] < min_size):
            _join(a, b, parents, sizes)


@compiled
def _root(parents, pixel):
    """Find the first pixel of a segment, and halve the path to it."""
    parent = np.int64(parents[pixel])
    while parent != pixel:
        above = np.int64(parents[parent])
        parents[pixel] = above
        pixel, parent = above, np.int64(parents[above])
    return pixel


@compiled
def _join(a, b, parents, sizes):
    """Join two segments, given by their first pixels; returns the first pixel of both."""
    root, other = min(a, b), max(a, b)
    parents[other] = root
    sizes[root] += sizes[other]
    return root


@compiled
def _label(parents, labels):
    """Number the segments of a scale in the order of their first pixels; no pixel's parent comes after it."""
    num_segments = 0
    for pixel in range(len(parents)):
        parent = parents[pixel]
        if parent == pixel:
            labels[pixel] = num_segments
            num_segments += 1
        else:
            labels[pixel] = labels[parent]
