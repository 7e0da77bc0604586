"""Drawing regions from the runs of label maps, in one go.

A crop of `height` x `width` pixels is sampled at the centres of h x w pixels. Nothing is unrolled: runs are counted
where they are sampled, and those of the regions that were drawn are set as bits.
"""

import numpy as np

from rmae.regions.kernels.compiled import compiled


@compiled
def sampled_before(start, size, new_size, length):
    """Count the centres of new_size pixels, spread over size pixels from a start on, that lie before each position.

    Returns:
        Shape (length + 1,) int64, for the positions from 0 to length.
    """
    before = np.zeros(length + 1, dtype=np.int64)
    for position in range(start + 1, length + 1):
        before[position] = min(new_size, (2 * new_size * (position - start) + size - 1) // (2 * size))
    return before


@compiled
def set_bits(row, left, right):
    """Set the bits of the pixels from left to before right, right > left; the highest bit of a byte comes first."""
    first, last = left >> 3, (right - 1) >> 3
    head, tail = 0xFF >> (left & 7), 0xFF << (7 - ((right - 1) & 7)) & 0xFF
    if first == last:
        row[first] |= head & tail
    else:
        row[first] |= head
        row[last] |= tail
        row[first + 1 : last] = 0xFF


@compiled
def count_sampled(counts, lengths, labels, rows_before, columns_before, num_pixels):
    """Count the sampled pixels of every label of every map; num_pixels (S, labels), negative labels are left out."""
    run = 0
    for which in range(counts.shape[0]):
        for y in range(counts.shape[1]):
            next_row = run + counts[which, y]
            times = rows_before[y + 1] - rows_before[y]
            if times:
                end = start = 0
                for i in range(run, next_row):
                    end += lengths[i]
                    after = columns_before[end]
                    if labels[i] >= 0:
                        num_pixels[which, labels[i]] += times * (after - start)
                    start = after
            run = next_row


@compiled
def mark_visible(counts, lengths, labels, rows_before, columns_before, num_visible, visible):
    """Mark labels with a visible pixel; num_visible (h, w + 1), those before each column; visible (S, labels) bool."""
    run = 0
    for which in range(counts.shape[0]):
        for y in range(counts.shape[1]):
            next_row = run + counts[which, y]
            for row in range(rows_before[y], rows_before[y + 1]):
                end = start = 0
                for i in range(run, next_row):
                    end += lengths[i]
                    after = columns_before[end]
                    if labels[i] >= 0 and num_visible[row, after] > num_visible[row, start]:
                        visible[which, labels[i]] = True
                    start = after
            run = next_row


@compiled
def pick(candidates, chances):
    """Draw a candidate for each chance, without replacement, from their list repeated as often as that takes.

    Args:
        candidates: Shape (n,), n at least 1.
        chances: Shape (R,) float64, uniform in [0, 1).

    Returns:
        Shape (R,).
    """
    num_left = len(candidates) * -(-len(chances) // len(candidates))
    places = np.arange(num_left)
    picked = np.empty(len(chances), dtype=candidates.dtype)
    for i in range(len(chances)):
        place = int(chances[i] * num_left)
        picked[i] = candidates[places[place] % len(candidates)]
        num_left -= 1
        places[place] = places[num_left]
    return picked


@compiled
def fill_packed(counts, lengths, labels, rows_before, columns_before, flip, slots, packed):
    """Set the pixels of chosen labels as bits.

    Arguments as for `draw_packed`, and rows_before, columns_before: how many sampled rows, and columns, lie before each
    one and before the end; slots: which region each label of each map becomes, or -1, shape (S, labels).
    """
    num_columns = columns_before[-1]
    run = 0
    for which in range(counts.shape[0]):
        for y in range(counts.shape[1]):
            next_row = run + counts[which, y]
            if rows_before[y + 1] > rows_before[y]:
                end = start = 0
                for i in range(run, next_row):
                    end += lengths[i]
                    after = columns_before[end]
                    if after > start and labels[i] >= 0 and slots[which, labels[i]] >= 0:
                        left, right = (num_columns - after, num_columns - start) if flip else (start, after)
                        for row in range(rows_before[y], rows_before[y + 1]):
                            set_bits(packed[slots[which, labels[i]], row], left, right)
                    start = after
            run = next_row


@compiled
def draw_packed(counts, lengths, labels, image_width, box, flip, num_columns, area, num_visible, chances, packed):
    """Draw regions of a crop, and set their pixels as bits.

    Args:
        counts: Number of runs in each row of each map, shape (S, H).
        lengths: Pixels of each run, row after row.
        labels: Label of each run; negative ones are no region.
        image_width: W in pixels.
        box: First row and column of the crop, and its rows and columns.
        flip: Whether it is mirrored left to right.
        num_columns: w, pixels in a row of the result.
        area: Smallest and largest share of the h x w pixels that a region may cover.
        num_visible: Visible pixels before each column of the crop that is not mirrored, shape (h, w + 1); if there are
            no rows, nothing has to be visible.
        chances: What decides which regions are drawn, shape (R,) float64, uniform in [0, 1).
        packed: Zeros, shape (R, h, bytes) uint8.

    Returns:
        False if labels are so large that they must be numbered anew first; nothing is drawn then.
    """
    top, left, height, width = box
    num_labels = 1
    for i in range(len(labels)):
        num_labels = max(num_labels, labels[i] + 1)
    if num_labels > 4 * len(labels) + 1:
        return False
    num_rows = packed.shape[1]
    rows_before = sampled_before(top, height, num_rows, counts.shape[1])
    columns_before = sampled_before(left, width, num_columns, image_width)
    num_pixels = np.zeros((counts.shape[0], num_labels), dtype=np.int64)
    count_sampled(counts, lengths, labels, rows_before, columns_before, num_pixels)
    if len(num_visible):
        visible = np.zeros(num_pixels.shape, dtype=np.bool_)
        mark_visible(counts, lengths, labels, rows_before, columns_before, num_visible, visible)
        num_pixels *= visible
    shares = num_pixels.ravel() / (num_rows * num_columns)
    candidates = np.flatnonzero((shares > 0) & (shares >= area[0]) & (shares <= area[1]))
    if len(candidates) == 0:
        return True
    picked = pick(candidates, chances)
    slots = np.full(num_pixels.size, -1)
    for region in range(len(picked) - 1, -1, -1):
        slots[picked[region]] = region  # the first one, where a region is drawn more than once
    fill_packed(counts, lengths, labels, rows_before, columns_before, flip, slots.reshape(num_pixels.shape), packed)
    for region in range(len(picked)):
        if slots[picked[region]] != region:
            packed[region] = packed[slots[picked[region]]]
    return True
