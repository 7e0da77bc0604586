"""How well predicted labels fit the truth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from rmae.evaluation.segmentation.labels import IGNORED


class SegmentScores(NamedTuple):
    """Scores of C classes, in [0, 1]; classes whose score is NaN are left out of means."""

    miou: float
    """Mean over classes of intersection over union."""
    pixel_accuracy: float
    """Share of the labelled pixels that are right."""
    mean_accuracy: float
    """Mean over classes of the share of their pixels that are right."""
    iou: np.ndarray
    """Of each class, shape (C,) float64; NaN without a pixel in truth and prediction, 0 if in the prediction alone."""
    accuracy: np.ndarray
    """Of each class, shape (C,) float64; NaN without a pixel in the truth."""
    num_pixels: np.ndarray
    """Labelled pixels of each class, shape (C,) int64."""

    def headline(self) -> dict[str, float]:
        """The three numbers by name."""
        return {"miou": self.miou, "pixel_accuracy": self.pixel_accuracy, "mean_accuracy": self.mean_accuracy}


def count_pairs(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count the pixels of each class that were taken for each class.

    Args:
        predicted: Integer, shape (H, W), in [0, C).
        labels: Integer, shape (H, W), in [0, C) or `IGNORED`.
        num_classes: C.

    Returns:
        Shape (C, C) int64, rows the truth and columns the prediction, without ignored pixels; those of several pictures
        can be added up.
    """
    return multiclass_confusion_matrix(predicted, labels.long(), num_classes, ignore_index=IGNORED, validate_args=False)


def score(counts: Sequence[Tensor]) -> SegmentScores:
    """Score counts of pairs over all pictures together.

    Args:
        counts: Of `count_pairs`, to be added up, at least one.

    Returns:
        The scores; all are NaN where no pixel was labelled.

    Source:
        Long et al., arXiv 1411.4038, section 5; of absent classes as in torchmetrics (IoU) and mmsegmentation.
    """
    confusion = torch.stack(list(counts)).sum(dim=0).numpy()  # (C, C)
    right = confusion.diagonal().astype(np.float64)
    true, taken = confusion.sum(axis=1), confusion.sum(axis=0)
    either = true + taken - right
    has_pixels, is_seen = true > 0, either > 0
    accuracy = np.full(len(true), np.nan)
    iou = accuracy.copy()
    np.divide(right, true, out=accuracy, where=has_pixels)
    np.divide(right, either, out=iou, where=is_seen)
    if not has_pixels.any():
        return SegmentScores(np.nan, np.nan, np.nan, iou, accuracy, true)
    return SegmentScores(
        miou=float(iou[is_seen].mean()),
        pixel_accuracy=float(right.sum() / true.sum()),
        mean_accuracy=float(accuracy[has_pixels].mean()),
        iou=iou,
        accuracy=accuracy,
        num_pixels=true,
    )
