"""What the labels of pixels are, and whatever can give those of a picture."""

from typing import Protocol

import numpy as np

IGNORED = -1
"""Label of pixels that are neither trained on nor counted."""
LABEL_DTYPE = np.int16
"""Dtype of label maps: room for 32,767 classes."""


class WrongLabels(ValueError):
    """Labels that belong to other classes: not one bad file, but the wrong data or settings."""


class LabelReader(Protocol):
    """Where the labels of the pictures of one part of a data set come from; can be handed to other processes."""

    def __call__(self, name: str, image_hw: tuple[int, int]) -> np.ndarray:
        """Read the labels of a picture.

        Args:
            name: Path of the picture relative to the root of the data.
            image_hw: Height and width of the picture in pixels.

        Returns:
            Shape (H, W) int16: classes from 0, or `IGNORED`.

        Raises:
            UnreadableImage: They cannot be read, or are of another size than the picture.
            WrongLabels: There is a label outside of the classes.
        """
        ...
