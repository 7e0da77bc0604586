"""Loops from label maps to the runs of equal labels in their rows, and from bytes to runs."""

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
def join_planes(planes, values):
    """Put numbers together from their bytes.

    Args:
        planes: The lowest bytes of all numbers, then the next ones, 1 to 4 of each, shape (bytes * n,) uint8.
        values: Where the numbers go, shape (n,) uint32.
    """
    n = len(values)
    if len(planes) == 2 * n:  # as nearly always: one pass is twice as fast as two
        for i in range(n):
            values[i] = planes[i] | planes[n + i] << 8
        return
    for i in range(n):
        values[i] = planes[i]
    for start in range(n, len(planes), max(1, n)):
        for i in range(n):
            values[i] |= planes[start + i] << 8 * (start // n)


@compiled
def join_runs(planes, num_rows, width, values):
    """Put numbers together from their bytes, and see whether they are runs that fill every row exactly.

    Args:
        planes: As for `join_planes`.
        num_rows: Rows of all maps. The first numbers are the runs in each, then come all lengths, then all labels + 1.
        width: Pixels in a row.
        values: Where the numbers go, and the labels as they are, shape (n,) uint32.

    Returns:
        Whether they fit.
    """
    join_planes(planes, values)
    run, end = num_rows, num_rows + (len(values) - num_rows) // 2
    for row in range(num_rows):
        if values[row] > end - run:
            return False
        filled = 0
        for i in range(run, run + values[row]):
            if values[i] == 0:
                return False
            filled += values[i]
        run += values[row]
        if filled != width:
            return False
    for i in range(end, len(values)):
        values[i] -= 1
    return run == end
