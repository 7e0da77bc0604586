"""Which scenes a data set consists of, and the randomness of each."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

DRAWING_VERSION = 1
"""Goes up when the same seed draws something else."""
MOST_SCENES = 1_000_000
"""Of one split: so many numbers are set apart for its files."""
SMALLEST_SIDE = 32
"""Pixels below which shapes could not be told any more."""

Split = Literal["train", "val"]
SPLITS: tuple[Split, ...] = ("train", "val")
"""The two parts of a data set."""


@dataclass(frozen=True, kw_only=True)
class SceneSet:
    """Numbers, size and seed of the scenes of a data set.

    Raises:
        ValueError: One of them is out of its range.
    """

    num_train: int
    """Scenes to train on, 1 to `MOST_SCENES`."""
    num_val: int
    """Scenes to validate on, 1 to `MOST_SCENES`."""
    size_hw: tuple[int, int]
    """Height and width in pixels, at least `SMALLEST_SIDE`."""
    seed: int
    """At least 0."""
    by_shape_alone: bool = False
    """Of drawn shapes: whether colours do not depend on the class."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for split in SPLITS:
            if not 1 <= self.num(split) <= MOST_SCENES:
                raise ValueError(f"num_{split} is {self.num(split)}; it must lie between 1 and {MOST_SCENES:,}")
        if len(self.size_hw) != 2 or min(self.size_hw) < SMALLEST_SIDE:
            raise ValueError(
                f"size_hw is {self.size_hw}; give height and width, each of at least {SMALLEST_SIDE} pixels, so that "
                "shapes can be told"
            )
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be at least 0")

    def num(self, split: Split) -> int:
        """Scenes of a split."""
        return self.num_train if split == "train" else self.num_val

    def check_classes(self, num_classes: int) -> None:
        """Raise a ValueError unless each split has a picture of each class."""
        for split in SPLITS:
            if self.num(split) < num_classes:
                raise ValueError(
                    f"num_{split} is {self.num(split)}; it must be at least {num_classes}, a picture of each class"
                )

    def number(self, split: Split, index: int) -> int:
        """Number of a scene, 1 or more, that no other scene of either split has, whatever their numbers are."""
        return 1 + index + MOST_SCENES * SPLITS.index(split)

    def generator(self, split: Split, index: int) -> np.random.Generator:
        """All randomness of a scene: it depends on seed, split and index, and not on how many scenes there are."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(split), index))
        return np.random.default_rng(sequence)
