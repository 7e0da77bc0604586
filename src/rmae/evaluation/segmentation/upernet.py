"""UperNet's head: a pooling pyramid on the coarsest map, and a feature pyramid from coarse to fine."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmae.evaluation.segmentation.convolution import ConvolutionUnit

_POOL_SCALES = (1, 2, 3, 6)


class PoolingPyramid(nn.Module):
    """What there is around a place: averages over the cells of grids of several sizes, beside the map itself.

    Args:
        in_channels: D.
        channels: C.
        pool_scales: Rows and columns of each grid.

    Source:
        Pyramid scene parsing, arXiv 1612.01105, section 3.2.
    """

    def __init__(self, in_channels: int, channels: int, *, pool_scales: Sequence[int] = _POOL_SCALES) -> None:
        super().__init__()
        self.pool_scales = tuple(pool_scales)
        self.branches = nn.ModuleList(ConvolutionUnit(in_channels, channels, kernel_size=1) for _ in pool_scales)
        self.fuse = ConvolutionUnit(in_channels + len(self.pool_scales) * channels, channels, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, h, w) to (B, C, h, w)."""
        pooled = [
            resize(branch(functional.adaptive_avg_pool2d(x, scale)), x.shape[-2:])
            for branch, scale in zip(self.branches, self.pool_scales, strict=True)
        ]
        return self.fuse(torch.cat([x, *pooled], dim=1))


class UperHead(nn.Module):
    """From maps of several sizes to logits at the size of the finest.

    Args:
        in_channels: Width D of each map.
        num_levels: Number of maps, at least 2.
        channels: Width C inside.
        num_classes: Number of classes.
        dropout: Probability in [0, 1) of leaving out a channel before the classifier, in training.

    Source:
        Unified perceptual parsing, arXiv 1807.10221, section 3.
    """

    def __init__(self, *, in_channels: int, num_levels: int, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.pooling = PoolingPyramid(in_channels, channels)
        finer = range(num_levels - 1)
        self.lateral = nn.ModuleList(ConvolutionUnit(in_channels, channels, kernel_size=1) for _ in finer)
        self.smooth = nn.ModuleList(ConvolutionUnit(channels, channels, kernel_size=3) for _ in finer)
        self.fuse = ConvolutionUnit(num_levels * channels, channels, kernel_size=3)
        self.classifier = classifier(channels, num_classes, dropout=dropout)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Classify every place.

        Args:
            maps: Shapes (B, D, h_i, w_i), finest first.

        Returns:
            Logits, shape (B, num_classes, h_0, w_0).
        """
        levels = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=False)]
        levels.append(self.pooling(maps[-1]))
        for finer in reversed(range(len(levels) - 1)):  # each level learns what the coarser ones know
            levels[finer] = levels[finer] + resize(levels[finer + 1], levels[finer].shape[-2:])
        smoothed = [smooth(x) for smooth, x in zip(self.smooth, levels, strict=False)]
        smoothed.append(levels[-1])
        size_hw = smoothed[0].shape[-2:]
        fused = self.fuse(torch.cat([resize(x, size_hw) for x in smoothed], dim=1))  # (B, C, h_0, w_0)
        return self.classifier(fused)


class AuxiliaryHead(nn.Module):
    """A plain classifier of every place of one map, to train the layers below it more directly.

    Args:
        in_channels: Width D of the map.
        channels: Width inside.
        num_classes: Number of classes.
        dropout: As for `UperHead`.
    """

    def __init__(self, *, in_channels: int, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.unit = ConvolutionUnit(in_channels, channels, kernel_size=3)
        self.classifier = classifier(channels, num_classes, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, h, w) to logits (B, num_classes, h, w)."""
        return self.classifier(self.unit(x))


def classifier(channels: int, num_classes: int, *, dropout: float) -> nn.Sequential:
    """A linear classifier of every place, small at the start so that all classes are about as likely."""
    linear = nn.Conv2d(channels, num_classes, kernel_size=1)
    nn.init.normal_(linear.weight, std=0.01)
    assert linear.bias is not None
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.Dropout2d(dropout), linear)


def resize(x: Tensor, size_hw: Sequence[int]) -> Tensor:
    """Resize maps bilinearly to a height and width."""
    if x.shape[-2:] == tuple(size_hw):
        return x
    return functional.interpolate(x, size=tuple(size_hw), mode="bilinear", align_corners=False)
