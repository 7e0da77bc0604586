"""What every variant of the region branch predicts."""

from typing import NamedTuple

from torch import Tensor


class RegionPrediction(NamedTuple):
    """Completed region maps, and what stands for the regions elsewhere."""

    logits: Tensor
    """One logit a pixel, shape (B, R, N, P*P)."""
    queries: Tensor | None
    """One token a region before it has met the pixels, shape (B, R, C); None in variants that pool no regions."""
