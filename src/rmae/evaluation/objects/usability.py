"""Which annotated objects can be used: those that have a mask with an area inside their picture."""

import numpy as np

from rmae.regions.instance_table import InstanceTable

_POLYGONS_AT_ONCE = 100_000


def find_faults(table: InstanceTable, boxes_xywh: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Look for objects that cannot be used.

    Run-length masks are not looked into, since that takes long: an empty one is found when it is drawn.

    Args:
        table: Masks of I objects.
        boxes_xywh: Their boxes in pixels, NaN where there is none; shape (I, 4) float64.

    Returns:
        Which can be used, shape (I,) bool; and how many of the others have which fault.
    """
    num_pictures = len(table.images.rows)
    pictures = np.repeat(np.arange(num_pictures), np.diff(table.first_instances))
    sizes_wh = table.images.sizes_hw[pictures][:, ::-1].astype(np.float64)  # (I, 2)
    is_polygon = np.ones(len(pictures), dtype=bool)
    is_polygon[list(table.run_lengths)] = False
    malformed, low, high = _extents(table)
    has_box = ~np.isnan(boxes_xywh).any(axis=1)
    empty_box = has_box & ~(boxes_xywh[:, 2:] > 0).all(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):  # from -inf on, inf wide; or almost so
        outside_box = has_box & ~_reaches(boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:], sizes_wh)
    num_polygons = np.diff(table.first_polygons)
    longer = sizes_wh.max(axis=1, keepdims=True)
    far = ((low < -longer) | (high > sizes_wh + longer)).any(axis=1)  # `draw_polygons` would refuse it
    # An object has the first fault that it is found to have.
    faults = {
        "without a mask": is_polygon & (num_polygons == 0),
        "with a malformed polygon": is_polygon & malformed,
        "without an area": empty_box | (is_polygon & ~(low < high).all(axis=1)),
        "outside of their picture": outside_box | (is_polygon & (far | ~_reaches(low, high, sizes_wh))),
    }
    usable = np.ones(len(pictures), dtype=bool)
    counts: dict[str, int] = {}
    for fault, found in faults.items():
        if (found & usable).any():
            counts[fault] = int((found & usable).sum())
        usable &= ~found
    return usable, counts


def _reaches(low: np.ndarray, high: np.ndarray, sizes_wh: np.ndarray) -> np.ndarray:
    """Whether boxes, given by two corners (I, 2), reach into their pictures."""
    return np.all((high > 0) & (low < sizes_wh), axis=1)


def _extents(table: InstanceTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether an object has a malformed polygon (I,), and the corners of the box around all its polygons (I, 2)."""
    num_polygons = len(table.first_numbers) - 1
    low, high = np.full((num_polygons, 2), np.inf), np.full((num_polygons, 2), -np.inf)
    lengths = np.diff(table.first_numbers)
    wrong = (lengths < 6) | (lengths % 2 == 1)
    for start in range(0, num_polygons, _POLYGONS_AT_ONCE):
        chosen = np.flatnonzero(~wrong[start : start + _POLYGONS_AT_ONCE]) + start
        if len(chosen):
            low[chosen], high[chosen] = _corners(table, chosen, lengths[chosen])
    wrong |= ~np.isfinite(low).all(axis=1) | ~np.isfinite(high).all(axis=1)
    objects = np.repeat(np.arange(len(table.first_polygons) - 1), np.diff(table.first_polygons))
    malformed = np.zeros(len(table.first_polygons) - 1, dtype=bool)
    object_low, object_high = np.full((len(malformed), 2), np.inf), np.full((len(malformed), 2), -np.inf)
    np.logical_or.at(malformed, objects, wrong)
    np.minimum.at(object_low, objects, low)
    np.maximum.at(object_high, objects, high)
    return malformed, object_low, object_high


def _corners(table: InstanceTable, polygons: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (n, 2) of the boxes around polygons, each of at least 3 points."""
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    places = np.arange(lengths.sum()) + np.repeat(table.first_numbers[polygons] - first, lengths)
    points = table.numbers[places].reshape(-1, 2)
    return np.minimum.reduceat(points, first // 2), np.maximum.reduceat(points, first // 2)
