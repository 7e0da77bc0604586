"""The optimiser and its schedule."""

import math
from dataclasses import dataclass

from rmae.config.checks import check_values, require


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW and its schedule: linear warm-up, then a fall, in pre-training half a cosine to 0, at every update."""

    epochs: float | None = 800
    """Length of the run in passes over the images; None where updates is given."""
    updates: int | None = None
    """Length of the run in updates of the weights; None where epochs is given."""
    batch_size: int = 4096
    """Images in an update, over all devices and accumulated steps."""
    accumulate: int = 1
    """Steps whose gradients are added up for one update; batch_size must be divisible by it."""
    base_lr: float = 1e-4
    """Learning rate for each 256 images of batch_size, > 0."""
    warmup: float = 1 / 20
    """Share of the updates in which the learning rate rises from 0, in [0, 1)."""
    weight_decay: float = 0.05
    """Decoupled weight decay, >= 0; none on norms and biases."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of AdamW's two moments, each in [0, 1)."""
    clip_grad: float | None = None
    """Largest norm of the gradient, > 0; None = no clipping."""

    @property
    def lr(self) -> float:
        """Peak learning rate: base_lr times batch_size over 256."""
        return self.base_lr * self.batch_size / 256

    def num_updates(self, num_samples: int) -> int:
        """Length of the run in updates, for a number of samples in one epoch."""
        if self.updates is not None:
            return self.updates
        assert self.epochs is not None
        return math.ceil(self.epochs * num_samples / self.batch_size)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(
            (self.epochs is None) != (self.updates is None),
            f"epochs is {self.epochs} and updates is {self.updates}; give one of them and None for the other, as in "
            "--updates None",
        )
        require(self.epochs is None or self.epochs > 0, f"epochs is {self.epochs}; it must be above 0")
        require(self.updates is None or self.updates >= 1, f"updates is {self.updates}; it must be at least 1")
        require(self.batch_size >= 1, f"batch_size is {self.batch_size}; it must be at least 1")
        require(
            self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
            f"batch_size {self.batch_size} cannot be split into accumulate {self.accumulate} equal steps",
        )
        require(self.base_lr > 0, f"base_lr is {self.base_lr}; it must be above 0")
        require(0 <= self.warmup < 1, f"warmup is {self.warmup}; it is a share of the updates in [0, 1)")
        require(self.weight_decay >= 0, f"weight_decay is {self.weight_decay}; it must be at least 0")
        require(all(0 <= beta < 1 for beta in self.betas), f"betas are {self.betas}; each must lie in [0, 1)")
        clip = self.clip_grad
        require(clip is None or clip > 0, f"clip_grad is {clip}; it must be above 0, or None")
