"""What looks at the pyramid's maps: the head that proposes boxes, the one that names them, the one that draws masks."""

from functools import partial

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn


def full_precision(numbers: Tensor) -> Tensor:
    """Numbers in float32 at least: bf16 places a box of a large picture to a few pixels only."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()


class ProposalHead(nn.Module):
    """How likely an object is at each anchor, and where; the same layers for every map.

    Args:
        channels: Channels C of the maps.
        depth: Convolutions before the two predictions.
        num_anchors: Anchors A at each place.
    """

    def __init__(self, *, channels: int, depth: int, num_anchors: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(channels, channels, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
        self.convolutions = nn.Sequential(*layers)
        self.objectness = nn.Conv2d(channels, num_anchors, kernel_size=1)
        self.offsets = nn.Conv2d(channels, num_anchors * 4, kernel_size=1)
        self.apply(partial(_initialise, std=0.01))

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Look at every anchor.

        Args:
            maps: Shape (B, C, h, w) each.

        Returns:
            Logits (B, A, h, w) and offsets (B, 4 A, h, w) of each map, float32 at least.
        """
        features = [self.convolutions(each) for each in maps]
        logits = [full_precision(self.objectness(each)) for each in features]
        return logits, [full_precision(self.offsets(each)) for each in features]


class BoxHead(nn.Module):
    """Convolutions and one linear layer over what lies in a box.

    Args:
        channels: Channels C of the maps.
        depth: Convolutions.
        size: Side s of the square that a box is sampled to.
        width: Width F of the linear layer.
    """

    def __init__(self, *, channels: int, depth: int, size: int, width: int) -> None:
        super().__init__()
        self.convolutions = _normed_convolutions(channels, depth)
        self.linear = nn.Linear(channels * size * size, width)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """From (N, C, s, s) to (N, F)."""
        return self.linear(self.convolutions(pooled).flatten(1)).relu()


class BoxPredictor(nn.Module):
    """What is in a box, and where it really is.

    Args:
        width: Width F of what `BoxHead` gives.
        num_classes: Number of categories K; class 0 is the background.
    """

    def __init__(self, *, width: int, num_classes: int) -> None:
        super().__init__()
        self.classes = nn.Linear(width, num_classes + 1)
        self.offsets = nn.Linear(width, 4 * (num_classes + 1))
        _initialise(self.classes, std=0.01)
        _initialise(self.offsets, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """From (N, F) to logits (N, 1 + K) and offsets (N, 4 (1 + K)) of each class, float32 at least."""
        return full_precision(self.classes(features)), full_precision(self.offsets(features))


class MaskHead(nn.Module):
    """The mask of what lies in a box, for each category.

    Args:
        channels: Channels C of the maps.
        depth: Convolutions before the one that enlarges.
        num_classes: Number of categories K; class 0 is the background.
    """

    def __init__(self, *, channels: int, depth: int, num_classes: int) -> None:
        super().__init__()
        self.convolutions = _normed_convolutions(channels, depth)
        self.enlarge = nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)
        self.masks = nn.Conv2d(channels, num_classes + 1, kernel_size=1)
        nn.init.kaiming_normal_(self.enlarge.weight, mode="fan_out", nonlinearity="relu")
        assert self.enlarge.bias is not None
        nn.init.zeros_(self.enlarge.bias)
        _initialise(self.masks, std=0.001)

    def forward(self, pooled: Tensor) -> Tensor:
        """From (N, C, s, s) to logits (N, 1 + K, 2 s, 2 s), float32 at least."""
        return full_precision(self.masks(self.enlarge(self.convolutions(pooled)).relu()))


def _normed_convolutions(channels: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        convolution = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        layers += [convolution, LayerNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _initialise(layer: nn.Module, *, std: float) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.normal_(layer.weight, std=std)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
