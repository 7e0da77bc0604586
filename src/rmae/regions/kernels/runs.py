"""Loops over label maps and over the runs of equal labels in their rows."""

import numpy as np

from rmae.regions.kernels.compiled import compiled


@compiled
def count_runs(label_maps, counts):
    """Count the runs in each row; label_maps (S, H, W) int32, counts (S, H) uint32."""
    num_maps, height, width = label_maps.shape
    for which in range(num_maps):
        for y in range(height):
            row = label_maps[which, y]
            count = 1
            for x in range(1, width):
                count += row[x] != row[x - 1]
            counts[which, y] = count


@compiled
def fill_runs(label_maps, lengths, labels):
    """Write length and label of every run, row after row; lengths (runs,) uint32, labels (runs,) int32."""
    num_maps, height, width = label_maps.shape
    run = 0
    for which in range(num_maps):
        for y in range(height):
            row = label_maps[which, y]
            start = 0
            for x in range(1, width + 1):
                if x == width or row[x] != row[start]:
                    lengths[run], labels[run] = x - start, row[start]
                    start = x
                    run += 1


@compiled
def runs_fit(counts, lengths, width):
    """Whether the runs of every row fill it exactly; counts (S, H) and lengths (runs,) uint32."""
    run = 0
    for which in range(counts.shape[0]):
        for y in range(counts.shape[1]):
            if counts[which, y] > len(lengths) - run:
                return False
            filled = 0
            for _ in range(counts[which, y]):
                if lengths[run] == 0:
                    return False
                filled += lengths[run]
                run += 1
            if filled != width:
                return False
    return run == len(lengths)


@compiled
def count_sampled(counts, lengths, labels, rows, first_after, num_pixels):
    """Count the sampled pixels of every label of every map.

    Args:
        counts: Number of runs in each row, shape (S, H).
        lengths: Pixels of each run, row after row.
        labels: Label of each run; negative ones are not counted.
        rows: Rows that are sampled, ascending; some perhaps more than once.
        first_after: For each column, and for the one after the last, how many sampled columns lie before it.
        num_pixels: Where the counts are added, shape (S, labels) int64.
    """
    run = 0
    for which in range(counts.shape[0]):
        sampled = 0
        for y in range(counts.shape[1]):
            next_row = run + counts[which, y]
            times = 0
            while sampled < len(rows) and rows[sampled] == y:
                sampled += 1
                times += 1
            if times:
                end = 0
                for i in range(run, next_row):
                    start, end = end, end + lengths[i]
                    if labels[i] >= 0:
                        num_pixels[which, labels[i]] += times * (first_after[end] - first_after[start])
            run = next_row


@compiled
def mark_seen(counts, lengths, labels, rows, first_after, num_visible, seen):
    """Mark the labels that have a visible pixel.

    Arguments as for `count_sampled`, and num_visible: how many visible pixels lie before each sampled column in each
    sampled row, shape (len(rows), len(columns) + 1); seen: where labels are marked, shape (S, labels) bool.
    """
    run = 0
    for which in range(counts.shape[0]):
        sampled = 0
        for y in range(counts.shape[1]):
            next_row = run + counts[which, y]
            while sampled < len(rows) and rows[sampled] == y:
                before, end = num_visible[sampled], 0
                for i in range(run, next_row):
                    start, end = end, end + lengths[i]
                    if labels[i] >= 0 and before[first_after[end]] > before[first_after[start]]:
                        seen[which, labels[i]] = True
                sampled += 1
            run = next_row


@compiled
def set_bits(row, left, right):
    """Set the bits of the pixels from left to before right, right > left, in a packed row."""
    first, last = left >> 3, (right - 1) >> 3
    head, tail = 0xFF >> (left & 7), 0xFF << (7 - ((right - 1) & 7)) & 0xFF
    if first == last:
        row[first] |= head & tail
    else:
        row[first] |= head
        row[last] |= tail
        row[first + 1 : last] = 0xFF


@compiled
def fill_packed(counts, lengths, labels, slots, rows, first_after, flip, packed):
    """Set the pixels of chosen labels, as bits: the leftmost pixel of a row in the highest bit of its first byte.

    Arguments as for `count_sampled`, and slots: which region each label of each map becomes, or -1, shape (S, labels)
    int64; flip: whether rows are mirrored; packed: zeros, shape (R, len(rows), bytes) uint8.
    """
    num_columns = first_after[-1]
    run = 0
    for which in range(counts.shape[0]):
        sampled = 0
        for y in range(counts.shape[1]):
            next_row = run + counts[which, y]
            while sampled < len(rows) and rows[sampled] == y:
                end = 0
                for i in range(run, next_row):
                    start, end = end, end + lengths[i]
                    if labels[i] >= 0 and slots[which, labels[i]] >= 0:
                        left, right = first_after[start], first_after[end]
                        if flip:
                            left, right = num_columns - right, num_columns - left
                        if left < right:
                            set_bits(packed[slots[which, labels[i]], sampled], left, right)
                sampled += 1
            run = next_row


@compiled
def join_planes(planes, values):
    """Put numbers together from their four bytes, the lowest plane first; planes (4, n) uint8, values (n,) uint32."""
    for i in range(planes.shape[1]):
        values[i] = (
            np.uint32(planes[0, i])
            | np.uint32(planes[1, i]) << 8
            | np.uint32(planes[2, i]) << 16
            | np.uint32(planes[3, i]) << 24
        )
