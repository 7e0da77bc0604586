"""From pixels as stored to what a model takes, and back."""

import torch
from torch import Tensor, nn


def scale_pixels(pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Bring pixels to full scale = 1.

    Args:
        pixels: Any shape, uint8 or uint16.
        dtype: Floating.

    Returns:
        Same shape, in [0, 1].
    """
    return pixels.to(dtype) / torch.iinfo(pixels.dtype).max


class Normalise(nn.Module):
    """Takes the mean from each channel and divides by its standard deviation; its numbers are not saved.

    Args:
        mean: Of each of the M channels, full scale = 1.
        std: Of each channel, full scale = 1.
        dtype: Of what comes out; None = torch's default.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], *, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=dtype).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=dtype).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise pictures as stored, shape (..., M, h, w) uint8 or uint16; returns the same shape, float."""
        return self.of_scaled(scale_pixels(pixels, self.mean.dtype))

    def of_scaled(self, scaled: Tensor) -> Tensor:
        """Normalise pictures in [0, 1], shape (..., M, h, w)."""
        return (scaled - self.mean) / self.std

    def to_scaled(self, normalised: Tensor) -> Tensor:
        """The way back, to full scale = 1, shape (..., M, h, w); what is predicted may leave [0, 1]."""
        return normalised * self.std + self.mean
