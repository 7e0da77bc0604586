"""Images that an annotation file lists, found again by the names that they have here."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np


class ListedImages(NamedTuple):
    """Names and sizes of N images."""

    rows: dict[str, int]
    """Row of each image, 0 to N - 1, by its name in the annotation file."""
    sizes_hw: np.ndarray
    """Height and width of each in pixels, shape (N, 2) int32."""

    def find(self, name: str, image_hw: tuple[int, ...], where: str) -> int:
        """Find an image.

        Args:
            name: Its path relative to the image root. The annotation file may list it under this path or under a
                trailing part of it: `train2017/0001.jpg` is found as `0001.jpg`. The longest part that is listed wins.
            image_hw: Its height and width in pixels.
            where: The annotation files, for the error.

        Returns:
            The row of the image.

        Raises:
            ValueError: It is not listed, or listed with another size.
        """
        row = next((self.rows[path] for path in _trailing_paths(name) if path in self.rows), None)
        if row is None:
            raise ValueError(
                f"{name} is not listed in {where}, nor is a trailing part of that path; give the annotations of these "
                "images"
            )
        listed_hw = tuple(self.sizes_hw[row].tolist())
        if listed_hw != image_hw:
            raise ValueError(
                f"{name} has {_in_words(image_hw)} pixels (height x width), but {_in_words(listed_hw)} in {where}; "
                "give images of the size on which the annotations were made"
            )
        return row


def _trailing_paths(name: str) -> Iterator[str]:
    """A path, then what remains of it when folder after folder is taken away."""
    parts = PurePosixPath(name).parts
    for start in range(len(parts)):
        yield "/".join(parts[start:])


def _in_words(size_hw: tuple[int, ...]) -> str:
    return " x ".join(map(str, size_hw))
