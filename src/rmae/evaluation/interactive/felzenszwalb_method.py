"""Clicks on the regions of a Felzenszwalb-Huttenlocher segmentation: what the model learned from, taken as it is."""

from collections.abc import Sequence

import numpy as np

from rmae.evaluation.interactive.method import Answer, Click
from rmae.regions.felzenszwalb import Felzenszwalb


class FelzenszwalbMethod:
    """Takes the regions under positive clicks.

    A region with clicks of both kinds is shared out: each of its pixels goes to the nearest of the clicks in it, of
    equally near ones to the earlier. All other regions are left.

    Args:
        scale: Of the segmentation, above 0; the smallest region has as many pixels, as in pre-training.
    """

    def __init__(self, *, scale: float) -> None:
        self._segmentation = Felzenszwalb(scales=(scale,))
        self._labels = np.zeros((0, 0), np.int32)

    def set_image(self, image: np.ndarray, name: str) -> None:
        """Segment a picture at its own size."""
        (self._labels,) = self._segmentation(image, name)

    def segment(self, clicks: Sequence[Click]) -> Answer:
        """Put the regions together."""
        by_label: dict[int, list[Click]] = {}
        for click in clicks:
            by_label.setdefault(int(self._labels[click.pixel]), []).append(click)
        mask = np.zeros(self._labels.shape, bool)
        for label, inside in by_label.items():
            if not any(click.positive for click in inside):
                continue
            region = self._labels == label
            if all(click.positive for click in inside):
                mask |= region
            else:
                rows, columns = np.nonzero(region)
                mask[rows, columns] = _nearest_is_positive(rows, columns, inside)
        return Answer(mask)


def _nearest_is_positive(rows: np.ndarray, columns: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
    """Whether the click that is nearest to each pixel's centre is positive; shape (n,) bool."""
    squares = [(columns + 0.5 - click.x) ** 2 + (rows + 0.5 - click.y) ** 2 for click in clicks]
    return np.array([click.positive for click in clicks])[np.argmin(squares, axis=0)]
