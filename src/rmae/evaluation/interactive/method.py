"""What can be clicked on: our model, the methods beside it, and in tests an oracle all have this form."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Click(NamedTuple):
    """A point of a picture, in pixels."""

    x: float
    """To the right; the centre of the pixel in column j is j + 0.5."""
    y: float
    """Down; the centre of the pixel in row i is i + 0.5."""
    positive: bool
    """Whether it is on the object, and not beside it."""

    @property
    def pixel(self) -> tuple[int, int]:
        """Row and column of the pixel that it lies in."""
        return int(self.y), int(self.x)


class Answer(NamedTuple):
    """What a method makes of clicks."""

    mask: np.ndarray
    """Shape (H, W) bool, of the picture's size."""
    confidence: float = math.nan
    """IoU with the object that the method expects, in [0, 1]; NaN where it expects none."""


class Method(Protocol):
    """Finds an object from clicks on it and beside it."""

    def set_image(self, image: np.ndarray, name: str) -> None:
        """Look at a picture, of which objects are asked for afterwards.

        Args:
            image: Shape (H, W, 3) uint8.
            name: What the picture is called.
        """
        ...

    def segment(self, clicks: Sequence[Click]) -> Answer:
        """Find the object; the same clicks give the same answer, whatever was asked before.

        Args:
            clicks: In the order in which they were made, the first of them positive.
        """
        ...
