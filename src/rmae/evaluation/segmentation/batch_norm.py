"""Batch normalisation over all processes of a run, on any device."""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

_EPSILON = 1e-5
_MOMENTUM = 0.1  # share of the newest batch in the running statistics


class SharedBatchNorm(nn.Module):
    """Batch normalisation by the statistics of the samples of all processes.

    So it is the same however a step is split over processes; torch's own is that on GPUs alone.

    Two cases leave the running statistics as they are. One value a channel (a single sample of a single pixel) has no
    variance: it is normalised by the running statistics. And what is not finite never reaches them, so that a
    checkpoint from before a bad update is whole.

    Args:
        channels: C.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel.

        Args:
            x: Shape (B, C, H, W); B, H and W are the same on all processes.

        Returns:
            Shape (B, C, H, W).
        """
        world_size = dist.get_world_size() if dist.is_initialized() else 1
        num_values = world_size * x.numel() // x.shape[1]
        if not self.training or num_values == 1:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=_EPSILON
            )
        if world_size > 1:
            return self._normalise_together(x, num_values)
        # Copies, since torch would write into what it is given.
        mean, variance = self.running_mean.clone(), self.running_var.clone()
        normalised = functional.batch_norm(
            x, mean, variance, self.weight, self.bias, training=True, momentum=_MOMENTUM, eps=_EPSILON
        )
        self._keep(mean, variance)
        return normalised

    def _normalise_together(self, x: Tensor, num_values: int) -> Tensor:
        # In two passes, since the difference of large squares would lose digits. bfloat16 would lose them anyhow.
        values = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        own_variance, own_mean = torch.var_mean(values, dim=(0, 2, 3), correction=0)  # (C,)
        mean = _average(own_mean)
        variance = _average(own_variance + (own_mean - mean).square())
        with torch.no_grad():
            unbiased = variance * (num_values / (num_values - 1))
            self._keep(
                self.running_mean.lerp(mean.to(self.running_mean), _MOMENTUM),
                self.running_var.lerp(unbiased.to(self.running_var), _MOMENTUM),
            )
        scale = self.weight * torch.rsqrt(variance + _EPSILON)
        shift = self.bias - mean * scale
        return (values * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).to(x.dtype)

    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        """Take new running statistics, of those channels in which they are finite."""
        finite = mean.isfinite() & variance.isfinite()
        self.running_mean.copy_(torch.where(finite, mean, self.running_mean))
        self.running_var.copy_(torch.where(finite, variance, self.running_var))


class _Average(Function):
    """The mean over processes, whose gradient is the mean over processes of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _all_mean(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _all_mean(gradients[0])


def _average_values(values: Tensor) -> Tensor:
    return cast(Tensor, _Average.apply(values))


_average = cast(Callable[[Tensor], Tensor], torch.compiler.disable(_average_values))


def _all_mean(values: Tensor) -> Tensor:
    mean = values.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(mean)
    return mean / dist.get_world_size()
