"""The unit that the head is made of."""

from torch import Tensor, nn

from rmae.evaluation.segmentation.batch_norm import SharedBatchNorm


class ConvolutionUnit(nn.Module):
    """A convolution, a normalisation and a rectifier.

    Args:
        in_channels: Channels of what comes in.
        out_channels: Channels of what goes out.
        kernel_size: Side of the kernel, odd; the size of the map stays.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel_size: int) -> None:
        super().__init__()
        # The normalisation would take a bias away again.
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = SharedBatchNorm(out_channels)
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        return self.norm(self.convolution(x)).relu()
