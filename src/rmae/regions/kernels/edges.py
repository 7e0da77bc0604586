"""Edges between neighbouring pixels: their costs, and their distribution over ranges of cost.

Edge `4 * pixel + direction` joins a pixel to its neighbour on the right (0), below (1), below on the right (2), or its
right neighbour to the one below it (3). Where costs tie, edges come in the order of direction, then pixel.
"""

import math

import numpy as np

from rmae.regions.kernels.compiled import compiled

_NUM_RANGES = 16
_BIN_SHIFT = 44  # keeps of a double its exponent and 8 bits of its mantissa
_LOWEST_BIN = int(np.float64(2.0**-32).view(np.int64)) >> _BIN_SHIFT  # smaller costs share the first bin
_FEW_CHANNELS = 8  # from here on numpy adds in another order
_BLOCK = 128  # values that numpy adds without halving
_MAX_HALVINGS = 64


def edge_costs(planes: np.ndarray) -> np.ndarray:
    """Measure the Euclidean distance in colour along every edge.

    Args:
        planes: Shape (M, H, W) float64.

    Returns:
        By direction and pixel, shape (4, H, W) float64; without meaning where an edge would leave the image.
    """
    channels, height, width = planes.shape
    costs = np.empty((4, height, width))
    if channels < _FEW_CHANNELS:
        _costs(planes, costs)
    else:
        _costs_of_many_channels(planes, costs, np.empty(channels))
    return costs


def distribute(costs: np.ndarray, highest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distribute edges over ranges of cost with about equally many in each.

    Args:
        costs: By direction and pixel, shape (4, H, W) float64, >= 0.
        highest: A cost that no edge is above.

    Returns:
        The edges, shape (E,) uint32, one range after the other, in the order of ties in each; where each range starts
        and the last one ends, shape (ranges + 1,) int64; and a cost that no edge of a range is below, shape (ranges,).
    """
    bits = costs.view(np.int64)
    counts = np.zeros((int(np.float64(highest).view(np.int64)) >> _BIN_SHIFT) - _LOWEST_BIN + 1, dtype=np.int64)
    _count_bins(bits, counts)
    num_edges = int(counts.sum())
    before = np.cumsum(counts) - counts
    _, first_bins, range_of_bin = np.unique(
        before * _NUM_RANGES // max(num_edges, 1), return_index=True, return_inverse=True
    )
    starts = np.append(before[first_bins], num_edges)
    lowest = ((first_bins + _LOWEST_BIN) << _BIN_SHIFT).view(np.float64)
    lowest[0] = 0
    edges = np.empty(num_edges, dtype=np.uint32)
    _fill_ranges(bits, range_of_bin.astype(np.uint8), starts[:-1].copy(), edges)
    return edges, starts, lowest


@compiled
def _costs(planes, costs):
    channels, height, width = planes.shape
    right, down, down_right, up_right = costs[0], costs[1], costs[2], costs[3]
    for y in range(height):
        last = y + 1 == height
        for channel in range(channels):
            row, below = planes[channel, y], planes[channel, y if last else y + 1]
            next_row, next_below = row[1:], below[1:]
            _add_squares(right[y], row[: width - 1], next_row, channel == 0)
            if not last:
                _add_squares(down[y], row, below, channel == 0)
                _add_squares(down_right[y], row[: width - 1], next_below, channel == 0)
                _add_squares(up_right[y], next_row, below[: width - 1], channel == 0)
        _roots(right[y, : width - 1])
        if not last:
            _roots(down[y])
            _roots(down_right[y, : width - 1])
            _roots(up_right[y, : width - 1])


@compiled
def _add_squares(sums, first, second, fresh):
    if fresh:
        for i in range(len(first)):
            difference = first[i] - second[i]
            sums[i] = difference * difference
    else:
        for i in range(len(first)):
            difference = first[i] - second[i]
            sums[i] += difference * difference


@compiled
def _roots(values):
    for i in range(len(values)):
        values[i] = math.sqrt(values[i])


@compiled
def _count_bins(bits, counts):
    _, height, width = bits.shape
    for direction in range(4):
        for y in range(height if direction == 0 else height - 1):
            row = bits[direction, y]
            for x in range(width if direction == 1 else width - 1):
                counts[max((row[x] >> _BIN_SHIFT) - _LOWEST_BIN, 0)] += 1


@compiled
def _fill_ranges(bits, range_of_bin, places, edges):
    _, height, width = bits.shape
    for direction in range(4):
        for y in range(height if direction == 0 else height - 1):
            row = bits[direction, y]
            first = 4 * y * width + direction
            for x in range(width if direction == 1 else width - 1):
                which = range_of_bin[max((row[x] >> _BIN_SHIFT) - _LOWEST_BIN, 0)]
                edges[places[which]] = first + 4 * x
                places[which] += 1


@compiled
def _costs_of_many_channels(planes, costs, squares):
    """As `_costs`, with the squares of one edge added up in numpy's pairwise order."""
    channels, height, width = planes.shape
    for direction in range(4):
        for y in range(height if direction == 0 else height - 1):
            for x in range(width if direction == 1 else width - 1):
                y0, x0 = y, x + (direction == 3)
                y1, x1 = y + (direction != 0), x + (direction == 0 or direction == 2)
                for channel in range(channels):
                    difference = planes[channel, y0, x0] - planes[channel, y1, x1]
                    squares[channel] = difference * difference
                costs[direction, y, x] = math.sqrt(_pairwise_sum(squares))


@compiled
def _pairwise_sum(values):
    """Add as numpy does: in halves until a block has at most 128 values."""
    if len(values) <= _BLOCK:
        return _block_sum(values)
    # A stack instead of calls: compiled code that calls itself does not survive its trip through numba's cache.
    starts, numbers = np.zeros(_MAX_HALVINGS, np.int64), np.zeros(_MAX_HALVINGS, np.int64)
    halves_added = np.zeros(_MAX_HALVINGS, np.bool_)
    sums, num_sums = np.empty(_MAX_HALVINGS), 0
    numbers[0], top = len(values), 1
    while top > 0:
        top -= 1
        start, number = starts[top], numbers[top]
        if halves_added[top]:
            num_sums -= 1
            sums[num_sums - 1] += sums[num_sums]
        elif number <= _BLOCK:
            sums[num_sums] = _block_sum(values[start : start + number])
            num_sums += 1
        else:
            half = number // 2 - number // 2 % 8
            halves_added[top] = True
            starts[top + 1], numbers[top + 1], halves_added[top + 1] = start + half, number - half, False
            starts[top + 2], numbers[top + 2], halves_added[top + 2] = start, half, False
            top += 3
    return sums[0]


@compiled
def _block_sum(values):
    """Add eight interleaved sums where there are that many values."""
    total, whole = 0.0, 0
    if len(values) >= 8:
        sums = values[:8].copy()
        whole = len(values) - len(values) % 8
        for i in range(8, whole):
            sums[i % 8] += values[i]
        total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
    for i in range(whole, len(values)):
        total += values[i]
    return total
