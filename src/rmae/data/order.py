"""Which samples come when, and what each draws: pure functions of the seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

# First number of a spawn key, so that no two uses of a seed share a stream. (Plain entropy lists would: numpy pads
# them with zeros, so that [seed, epoch] and [seed, epoch, 0, 0] are the same.)
_ORDER, _SAMPLE = 0, 1


@dataclass(frozen=True, slots=True)
class SampleKey:
    """What all randomness of a sample depends on, besides the seed."""

    epoch: int
    """Passes over the data before this one, >= 0."""
    index: int
    """Which sample of the epoch, >= 0."""


def sample_generator(seed: int, key: SampleKey, attempt: int = 0) -> np.random.Generator:
    """Make the generator of a sample's random choices.

    Args:
        seed: Seed of the run, >= 0.
        key: The sample.
        attempt: How many images were found unusable for this sample before.

    Returns:
        A fresh generator; equal arguments give equal streams, other arguments independent ones.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SAMPLE, key.epoch, key.index, attempt)))


def epoch_order(num_samples: int, seed: int, epoch: int) -> np.ndarray:
    """Shuffle the samples of an epoch.

    Args:
        num_samples: Samples in the epoch.
        seed: Seed of the run, >= 0.
        epoch: Which epoch, >= 0.

    Returns:
        Shape (num_samples,) int64, a permutation that depends on nothing else.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER, epoch)))
    return generator.permutation(num_samples)


@dataclass(frozen=True, kw_only=True)
class BatchOrder(Sampler[list[SampleKey]]):
    """One process's micro-batches, in order, from any update on.

    Every update takes the next `batch_size` samples of the epoch's permutation; what does not fill a batch at the
    epoch's end is dropped. The batch is cut into `steps_per_update` steps, and each step into one part for each
    process, so the samples of an update do not depend on how they are split.

    Raises:
        ValueError: The samples do not fill one batch, or the batch cannot be split evenly.
    """

    num_samples: int
    """Samples in an epoch."""
    batch_size: int
    """Samples in an update, over all processes and steps."""
    steps_per_update: int
    """Steps whose gradients are added up for one update."""
    rank: int
    """Which process this is, in [0, world_size)."""
    world_size: int
    """Number of processes."""
    seed: int
    """Seed of the run, >= 0."""
    first_update: int
    """Update to begin with: 0, or where a run is resumed."""
    num_updates: int
    """Updates in the whole run; the last one is `num_updates - 1`."""

    def __post_init__(self) -> None:
        """Check that batches can be formed and split."""
        if self.num_samples < self.batch_size:
            raise ValueError(
                f"the data hold {self.num_samples} samples an epoch, fewer than one batch of {self.batch_size}: "
                "lower --batch-size (or, in pre-training, raise --crops-per-image)"
            )
        if self.batch_size % (self.steps_per_update * self.world_size):
            raise ValueError(
                f"batch size {self.batch_size} cannot be split evenly into {self.steps_per_update} step(s) on each of "
                f"{self.world_size} process(es); choose a multiple of {self.steps_per_update * self.world_size}"
            )

    @property
    def updates_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        return self.num_samples // self.batch_size

    @property
    def micro_batch_size(self) -> int:
        """Samples of one step of this process."""
        return self.batch_size // (self.steps_per_update * self.world_size)

    def __len__(self) -> int:
        """Micro-batches that are left."""
        return max(0, self.num_updates - self.first_update) * self.steps_per_update

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield the keys of one micro-batch after another."""
        micro_batch = self.micro_batch_size
        shuffled_epoch, order = -1, np.empty(0, dtype=np.int64)
        for update in range(self.first_update, self.num_updates):
            epoch, place = divmod(update, self.updates_per_epoch)
            if epoch != shuffled_epoch:
                shuffled_epoch, order = epoch, epoch_order(self.num_samples, self.seed, epoch)
            for step in range(self.steps_per_update):
                start = place * self.batch_size + (step * self.world_size + self.rank) * micro_batch
                yield [SampleKey(epoch, int(index)) for index in order[start : start + micro_batch]]
