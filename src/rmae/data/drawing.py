"""Drawing a fixed number of regions from the label maps of a crop."""

import numpy as np

from rmae.data.crops import Crop
from rmae.regions.label_runs import LabelRuns

_NOTHING_TO_BE_VISIBLE = np.zeros((0, 0), dtype=np.int64)


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
    from rmae.regions.kernels.drawing import draw_packed

    height, width = size_hw
    drawn = np.zeros((num_regions, height, -(-width // 8)), dtype=np.uint8)
    num_visible = _NOTHING_TO_BE_VISIBLE
    if visible is not None:
        num_visible = np.zeros((height, width + 1), dtype=np.int64)
        np.cumsum(visible[:, ::-1] if crop.flip else visible, axis=1, out=num_visible[:, 1:])
    chances = generator.random(num_regions)

    def draw_from(labels: np.ndarray) -> bool:
        box, shares = tuple(crop[:4]), (float(area[0]), float(area[1]))
        return draw_packed(
            runs.counts, runs.lengths, labels, runs.width, box, crop.flip, width, shares, num_visible, chances, drawn
        )

    if not draw_from(runs.labels):
        draw_from(runs.dense_labels())
    return drawn
