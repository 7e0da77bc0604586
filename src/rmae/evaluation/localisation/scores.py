"""How well a map of the picture fits the mask of an object."""

from typing import NamedTuple

import torch
from torch import Tensor

SCORE_NAMES = ("auc", "mass", "pointing", "iou")
"""In the order in which they are told everywhere."""


class MapScores(NamedTuple):
    """Scores of maps, each in [0, 1]; shape (...) float64, NaN where one is not defined."""

    auc: Tensor
    """Chance that a pixel inside has a higher value than one outside, ties counted half: the area under the ROC curve.
    Not defined where there is no pixel inside, or none outside."""
    mass: Tensor
    """Share of the sum of the values that lies inside, negative ones counted as 0.
    Not defined where no value is above 0."""
    pointing: Tensor
    """Share of the pixels at the highest value that lie inside: 1 or 0 where the highest is one pixel.
    Not defined where there are no pixels."""
    iou: Tensor
    """Intersection over union of the mask and the pixels from a threshold on, for the best of all thresholds.
    Not defined where there is no pixel inside."""

    def stacked(self) -> Tensor:
        """All of them, shape (..., 4)."""
        return torch.stack(tuple(self), dim=-1)


def score_map(values: Tensor, inside: Tensor, outside: Tensor) -> MapScores:
    """Score maps that have one value for each of N cells, be they patches or pixels.

    A cell's pixels all have its value, so patches that the mask covers in part count for what they hold of both. A cell
    without pixels does not count at all: that is how pixels are left out.

    Args:
        values: Shape (..., N) float, finite; the higher, the more it speaks for the object.
        inside: Pixels of each cell inside the mask, shape (..., N); for a map of pixels 1 or 0.
        outside: Pixels of each cell outside the mask, shape (..., N).

    Returns:
        Scores of shape (...). They are exact: thresholds are all that make a difference.
    """
    values, inside, outside = torch.broadcast_tensors(values.double(), inside.double(), outside.double())
    pixels = inside + outside
    positive = values.clamp(min=0)
    mass = (positive * inside).sum(-1) / (positive * pixels).sum(-1)  # 0 / 0 is NaN, as it should be
    highest = values.where(pixels > 0, -torch.inf).amax(dim=-1, keepdim=True)
    at_highest = values == highest
    pointing = (inside * at_highest).sum(-1) / (pixels * at_highest).sum(-1)
    order = values.argsort(dim=-1, descending=True)
    values, inside, outside = (each.gather(-1, order) for each in (values, inside, outside))
    first = torch.ones_like(values, dtype=torch.bool)  # of the cells of one value, which a threshold does not part
    first[..., 1:] = values[..., 1:] != values[..., :-1]
    last = first.roll(-1, dims=-1)
    return MapScores(_area_under_curve(inside, outside, first, last), mass, pointing, _best_iou(inside, outside, last))


def _area_under_curve(inside: Tensor, outside: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Of sorted cells. Cells of one value are one step of the curve: a slope, under which lies the half of it."""
    above = (inside.cumsum(-1) - inside).where(first, 0.0).cummax(dim=-1).values  # pixels inside of higher values
    upto = inside.cumsum(-1).where(last, torch.inf).flip(-1).cummin(dim=-1).values.flip(-1)  # and those of this value
    return (outside * (above + upto)).sum(-1) / (2 * inside.sum(-1) * outside.sum(-1))


def _best_iou(inside: Tensor, outside: Tensor, last: Tensor) -> Tensor:
    """Of sorted cells, each of which ends a threshold's where it is the last of its value."""
    whole = inside.sum(-1, keepdim=True)
    iou = inside.cumsum(-1) / (whole + outside.cumsum(-1))
    return iou.where(last, 0.0).where(whole > 0, torch.nan).amax(dim=-1)
