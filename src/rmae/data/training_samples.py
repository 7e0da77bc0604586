"""Labelled samples by key; a picture that cannot be used is replaced and listed."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from torch.utils.data import Dataset

from rmae.data.images import UnreadableImage
from rmae.data.order import SampleKey, sample_generator
from rmae.data.skips import Skipped

S = TypeVar("S")
_MAX_ATTEMPTS = 50


class Made(NamedTuple, Generic[S]):
    """A sample, and what stood in its place."""

    sample: S
    skipped: tuple[Skipped, ...]
    """Pictures that stood here first but could not be used."""


def make_or_replace(
    make: Callable[[int, np.random.Generator], S],
    names: Sequence[str],
    first: int,
    *,
    key: SampleKey,
    seed: int,
    where: str,
) -> Made[S]:
    """Make a sample of a picture, or of another one drawn at random where it cannot be used.

    Args:
        make: From the index of a picture and a generator to a sample; raises `UnreadableImage` where the picture
            cannot be used.
        names: Of the pictures.
        first: Which one to try first.
        key: The sample; what is drawn depends on it and on the seed alone.
        seed: Seed of the run, >= 0.
        where: What the pictures are part of, for the error.

    Returns:
        The sample, and the pictures that could not be used.

    Raises:
        ValueError: Fifty pictures in a row could not be used.
    """
    index = first
    skipped: list[Skipped] = []
    for attempt in range(_MAX_ATTEMPTS):
        generator = sample_generator(seed, key, attempt)
        if attempt:
            index = int(generator.integers(len(names)))
        try:
            return Made(make(index, generator), tuple(skipped))
        except UnreadableImage as error:
            skipped.append(Skipped(names[index], str(error)))
    raise ValueError(
        f"{_MAX_ATTEMPTS} images drawn in a row from {where} could not be used; "
        f"the last, {skipped[-1].name}: {skipped[-1].reason}"
    )


class TrainingSamples(Dataset[Made[S]], Generic[S]):
    """Samples by key; each is a pure function of the pictures, the seed and its key.

    Args:
        names: Of the pictures; index i of an epoch stands for the i-th of them.
        make: From the index of a picture and a generator to a sample; raises `UnreadableImage` where the picture
            cannot be used. Can be handed to other processes.
        seed: Seed of the run, >= 0.
        where: What the pictures are part of, for the error.
    """

    def __init__(
        self, names: Sequence[str], make: Callable[[int, np.random.Generator], S], *, seed: int, where: str
    ) -> None:
        self._names = names
        self._make = make
        self._seed = seed
        self._where = where

    def __len__(self) -> int:
        """Samples in an epoch."""
        return len(self._names)

    def __getitem__(self, key: SampleKey) -> Made[S]:
        """Make one sample.

        Raises:
            ValueError: Fifty pictures in a row could not be used.
        """
        return make_or_replace(self._make, self._names, key.index, key=key, seed=self._seed, where=self._where)
