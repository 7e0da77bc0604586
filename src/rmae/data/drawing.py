"""Drawing a fixed number of regions from the label maps of a crop."""

import numpy as np

from rmae.data.crops import Crop, sample_positions
from rmae.regions.label_runs import LabelRuns


def draw_regions(
    runs: LabelRuns,
    crop: Crop,
    size_hw: tuple[int, int],
    *,
    num_regions: int,
    generator: np.random.Generator,
    area: tuple[float, float] = (0.0, 1.0),
    visible: np.ndarray | None = None,
) -> np.ndarray:
    """Draw regions uniformly from every label of every map that is present in a crop.

    Runs are counted where the crop takes its pixels, and only regions that were drawn become binary maps.

    Args:
        runs: Label maps of the whole image; each label >= 0 of each map is one region, there may be no map.
        crop: A rectangle inside the image.
        size_hw: Height h and width w of the result in pixels; a pixel takes the label at its centre.
        num_regions: R, at least 1.
        generator: Where the randomness comes from.
        area: Smallest and largest share of the h x w pixels that a region may cover, in [0, 1].
        visible: Shape (h, w) bool; if given, only regions with at least one pixel there are drawn.

    Returns:
        Packed as by `pack_bits`, shape (R, h, ceil(w / 8)) uint8. Without replacement among the n candidates; with
        n < R, without replacement from their list repeated ceil(R / n) times; all empty with n = 0.

    Source:
        R-MAE (arXiv 2306.05411); its reference code for n < R.
    """
    from rmae.regions.kernels.runs import fill_packed

    drawn = np.zeros((num_regions, size_hw[0], -(-size_hw[1] // 8)), dtype=np.uint8)
    rows, columns = sample_positions(crop, size_hw)
    first_after = np.searchsorted(columns, np.arange(runs.width + 1))
    labels = runs.dense_labels()
    if visible is not None and crop.flip:
        visible = visible[:, ::-1]
    allowed = _allowed(runs, labels, rows, first_after, size_hw, area, visible)
    candidates = np.argwhere(allowed)
    if len(candidates) == 0:
        return drawn
    repeats = -(-num_regions // len(candidates))
    picks = generator.choice(repeats * len(candidates), size=num_regions, replace=False) % len(candidates)
    first_slot: dict[int, int] = {}
    filled_as = [first_slot.setdefault(pick, slot) for slot, pick in enumerate(picks.tolist())]
    slots = np.full(allowed.shape, -1)
    slots[tuple(candidates[list(first_slot)].T)] = list(first_slot.values())
    fill_packed(runs.counts, runs.lengths, labels, slots, rows, first_after, crop.flip, drawn)
    return drawn if len(first_slot) == num_regions else drawn[filled_as]


def _allowed(
    runs: LabelRuns,
    labels: np.ndarray,
    rows: np.ndarray,
    first_after: np.ndarray,
    size_hw: tuple[int, int],
    area: tuple[float, float],
    visible: np.ndarray | None,
) -> np.ndarray:
    """Which labels of which maps may be drawn, shape (S, labels) bool."""
    from rmae.regions.kernels.runs import count_sampled, mark_seen

    num_pixels = np.zeros((len(runs.counts), int(labels.max(initial=-1)) + 1), dtype=np.int64)
    count_sampled(runs.counts, runs.lengths, labels, rows, first_after, num_pixels)
    shares = num_pixels / (size_hw[0] * size_hw[1])
    allowed = (num_pixels > 0) & (shares >= area[0]) & (shares <= area[1])
    if visible is not None:
        num_visible = np.zeros((size_hw[0], size_hw[1] + 1), dtype=np.int64)
        np.cumsum(visible, axis=1, out=num_visible[:, 1:])
        seen = np.zeros_like(allowed)
        mark_seen(runs.counts, runs.lengths, labels, rows, first_after, num_visible, seen)
        allowed &= seen
    return allowed
