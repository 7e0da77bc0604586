"""The simple feature pyramid: maps of several resolutions, all made of the encoder's last one."""

from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional


class SimpleFeaturePyramid(nn.Module):
    """Maps at the given scales of the encoder's grid, and one more at half the last.

    Args:
        in_channels: Channels D of the encoder's map, divisible by 4.
        channels: Channels C of the maps.
        scales: Resolution of each map over the encoder's: one or more of 4, 2, 1 and 0.5 in this order, none between
            left out.

    Source:
        ViTDet (arXiv 2203.16527), section 3 and appendix A.2.
    """

    def __init__(self, *, in_channels: int, channels: int, scales: tuple[float, ...]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_level(in_channels, channels, scale) for scale in scales)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Make the maps.

        Args:
            features: Shape (B, D, h, w).

        Returns:
            Maps, shape (B, C, scale * h, scale * w) each, the finest first, the half resolution of the last at the end.
        """
        maps = [level(features) for level in self.levels]
        return [*maps, functional.max_pool2d(maps[-1], kernel_size=1, stride=2)]


def _level(in_channels: int, channels: int, scale: float) -> nn.Sequential:
    half, quarter = in_channels // 2, in_channels // 4
    match scale:
        case 4:
            layers = [_enlarge(in_channels, half), LayerNorm2d(half), nn.GELU(), _enlarge(half, quarter)]
            width = quarter
        case 2:
            layers, width = [_enlarge(in_channels, half)], half
        case 1:
            layers, width = [], in_channels
        case 0.5:
            layers, width = [nn.MaxPool2d(2)], in_channels
        case _:
            raise ValueError(f"a map of the pyramid has the scale {scale}; it must be 4, 2, 1 or 0.5")
    return nn.Sequential(
        *layers,
        nn.Conv2d(width, channels, kernel_size=1, bias=False),
        LayerNorm2d(channels),
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(channels),
    )


def _enlarge(in_channels: int, channels: int) -> nn.Module:
    return nn.ConvTranspose2d(in_channels, channels, kernel_size=2, stride=2)
