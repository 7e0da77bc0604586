"""Sorting edges by cost."""

import numpy as np

from rmae.regions.kernels.compiled import compiled

_DIGIT_BITS = 11
_NUM_DIGITS = 3
_DIGITS = 1 << _DIGIT_BITS
_FIXED_POINT = (1 << (_DIGIT_BITS * _NUM_DIGITS - 1)) - 1  # 32 bits beside the 32 of an edge's number
_EDGE = np.uint64(0xFFFFFFFF)
_COST_SHIFT = np.uint64(32)


@compiled
def sort_edges(edges, costs):
    """Sort edges by cost, in place; those of equal cost keep their order.

    A key holds the cost as a fixed-point number of 32 bits above the number of the edge, so a stable radix sort moves 8
    bytes an edge. Costs are compared themselves only where fixed-point numbers are equal.

    Args:
        edges: Shape (E,) uint32, numbers of edges.
        costs: Cost of each edge by direction and pixel, shape (4, N) float64, >= 0.

    Returns:
        The costs of the sorted edges, shape (E,) float64.
    """
    lowest = highest = _cost(costs, edges[0])
    for i in range(len(edges)):
        cost = _cost(costs, edges[i])
        lowest, highest = min(lowest, cost), max(highest, cost)
    if lowest == highest:
        return np.full(len(edges), lowest)
    factor = _FIXED_POINT / (highest - lowest)
    keys, buffer = np.empty(len(edges), np.uint64), np.empty(len(edges), np.uint64)
    counts = np.zeros((_NUM_DIGITS, _DIGITS), np.int64)
    for i in range(len(edges)):
        key = (np.uint64((_cost(costs, edges[i]) - lowest) * factor) << _COST_SHIFT) | np.uint64(edges[i])
        keys[i] = key
        for digit in range(_NUM_DIGITS):
            counts[digit, _digit(key, digit)] += 1
    for digit in range(_NUM_DIGITS):
        _sort_by_digit(keys, buffer, counts[digit], digit)
        keys, buffer = buffer, keys
    start = 0
    while start < len(keys):
        end = start + 1
        while end < len(keys) and keys[end] >> _COST_SHIFT == keys[start] >> _COST_SHIFT:
            end += 1
        if end - start > 1:
            _sort_exactly(keys[start:end], buffer[start:end], costs)
        start = end
    sorted_costs = buffer.view(np.float64)
    for i in range(len(keys)):
        edges[i] = keys[i] & _EDGE
        sorted_costs[i] = _cost(costs, edges[i])
    return sorted_costs


@compiled
def _digit(key, digit):
    return (key >> np.uint64(32 + digit * _DIGIT_BITS)) & np.uint64(_DIGITS - 1)


@compiled
def _sort_by_digit(keys, out, counts, digit):
    place = 0
    for value in range(_DIGITS):
        counts[value], place = place, place + counts[value]
    for i in range(len(keys)):
        value = _digit(keys[i], digit)
        out[counts[value]] = keys[i]
        counts[value] += 1


@compiled
def _sort_exactly(keys, buffer, costs):
    """Stable merge sort by cost, for keys that are equal but for the edge; already sorted ones are only looked at."""
    for i in range(1, len(keys)):
        if _cost(costs, keys[i - 1] & _EDGE) > _cost(costs, keys[i] & _EDGE):
            break
    else:
        return
    step = 1
    while step < len(keys):
        for start in range(0, len(keys), 2 * step):
            _merge(keys, buffer, costs, start, min(start + step, len(keys)), min(start + 2 * step, len(keys)))
        keys[:] = buffer
        step *= 2


@compiled
def _merge(keys, out, costs, start, middle, end):
    left, right = start, middle
    for place in range(start, end):
        take_left = left < middle and (
            right == end or _cost(costs, keys[left] & _EDGE) <= _cost(costs, keys[right] & _EDGE)
        )
        if take_left:
            out[place] = keys[left]
            left += 1
        else:
            out[place] = keys[right]
            right += 1


@compiled
def _cost(costs, edge):
    return costs[np.int64(edge) & 3, np.int64(edge) >> 2]
