"""From a batch as stored to its losses, and from pictures as stored to logits."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmae.evaluation.segmentation.labels import IGNORED
from rmae.evaluation.segmentation.network import SegmentationNetwork
from rmae.ops.normalisation import Normalise


class SegmentLosses(NamedTuple):
    """Scalars, float32 (float64 for a model in float64)."""

    total: Tensor
    """Cross-entropy of the head, and of the auxiliary head times its weight."""
    head: Tensor
    auxiliary: Tensor


class SegmentStep(nn.Module):
    """The forward half of a training step, in one module: what can be compiled together.

    Args:
        model: The network.
        auxiliary_weight: Weight of the auxiliary head's loss, >= 0.
        pixel_mean: Mean of each of the three channels, full scale = 1.
        pixel_std: Standard deviation of each channel, full scale = 1.
    """

    def __init__(
        self,
        model: SegmentationNetwork,
        *,
        auxiliary_weight: float,
        pixel_mean: tuple[float, ...],
        pixel_std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.model = model
        self.auxiliary_weight = auxiliary_weight
        self.normalise = Normalise(pixel_mean, pixel_std)

    def forward(self, images: Tensor, labels: Tensor) -> SegmentLosses:
        """Compare predictions with the truth.

        Args:
            images: Shape (B, 3, H, W) uint8.
            labels: Shape (B, H, W) int16: classes from 0, or `IGNORED`.

        Returns:
            Losses on the device; nothing here waits for it.
        """
        output = self.model(self.normalise(images))
        head = pixel_loss(output.logits, labels)
        auxiliary = pixel_loss(output.auxiliary_logits, labels)
        return SegmentLosses(head + self.auxiliary_weight * auxiliary, head, auxiliary)


def pixel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, averaged over all pixels; those that are ignored count as 0.

    So every pixel weighs the same whatever batch it is in, a step may be split in any way, and a batch without a single
    labelled pixel gives 0 and no gradient.

    Args:
        logits: Shape (B, C, H, W).
        labels: Shape (B, H, W), integer: classes from 0, or `IGNORED`.

    Returns:
        A scalar.

    Source:
        mmsegmentation's default (`avg_non_ignore=False`).
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    losses = functional.cross_entropy(logits, labels.long(), ignore_index=IGNORED, reduction="sum")
    return losses / labels.numel()
