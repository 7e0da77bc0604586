"""The machine, and what is written how often."""

from dataclasses import dataclass
from typing import Literal

from rmae.config.checks import check_values, require


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The machine, and what is written how often."""

    seed: int = 0
    """Seed of everything random, >= 0. The same seed gives the same batches with any number of workers."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Device to train on."""
    devices: int = 1
    """GPUs of this machine, or processes where there is none, >= 1.
    Under torchrun or srun, the number of processes that they start counts instead."""
    num_threads: int | None = None
    """Threads of the arithmetic of each process on a CPU; None = as torch chooses. Leave cores to the workers."""
    precision: Literal["float32", "bf16", "float64"] = "float32"
    """Arithmetic of the model; with bf16 weights, losses and optimiser are float32 all the same.
    In float64, for exact comparisons, the order of summation does not show."""
    compile: bool = False
    """Compile the model with torch.compile."""
    checkpoint_activations: bool = False
    """Hold less in memory, for larger batches: activations are computed again in the backward pass.
    A step takes about a third longer; losses and gradients are the same."""
    log_every: int = 20
    """Updates between two lines of metrics."""
    checkpoint_every: int = 1000
    """Updates between two checkpoints."""
    keep_newest: int = 2
    """Checkpoints kept; older ones are deleted."""
    keep_every: int | None = None
    """Every how many updates a checkpoint is kept for good, a multiple of checkpoint_every; None = none."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(self.seed >= 0, f"seed is {self.seed}; it must be at least 0")
        for name in ("devices", "num_threads", "log_every", "checkpoint_every", "keep_newest"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
        every = self.keep_every
        require(
            every is None or (every >= 1 and every % self.checkpoint_every == 0),
            f"keep_every is {every}; it must be a multiple of checkpoint_every {self.checkpoint_every}, or None",
        )
