"""Samples of which some pictures have several in an epoch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from torch.utils.data import Dataset

from rmae.data.order import SampleKey
from rmae.data.training_samples import Made, TrainingSamples
from rmae.evaluation.detection.repetition import Repetition

S = TypeVar("S")


class RepeatedSamples(Dataset[Made[S]], Generic[S]):
    """Samples by key; each of a picture's samples draws numbers of its own.

    Args:
        names: Of n pictures.
        make: From the index of a picture and a generator to a sample, as of `TrainingSamples`.
        repetition: Which picture a sample of an epoch is made of.
        seed: Seed of the run, >= 0.
        where: What the pictures are part of, for the error.
    """

    def __init__(
        self,
        names: Sequence[str],
        make: Callable[[int, np.random.Generator], S],
        repetition: Repetition,
        *,
        seed: int,
        where: str,
    ) -> None:
        self._repetition = repetition
        self._num_pictures = len(names)
        # Copy c of picture i is sample c * n + i, and so has random numbers of its own.
        self._copies = TrainingSamples(
            list(names) * repetition.most_copies, partial(_make_copy, make, len(names)), seed=seed, where=where
        )

    def __len__(self) -> int:
        """Samples in an epoch."""
        return len(self._repetition)

    def __getitem__(self, key: SampleKey) -> Made[S]:
        """Make one sample.

        Raises:
            ValueError: Fifty pictures in a row could not be used.
        """
        picture, copy = self._repetition.place(key.epoch, key.index)
        return self._copies[SampleKey(key.epoch, copy * self._num_pictures + picture)]


def _make_copy(
    make: Callable[[int, np.random.Generator], S], num_pictures: int, index: int, generator: np.random.Generator
) -> S:
    return make(index % num_pictures, generator)
