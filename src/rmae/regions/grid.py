"""A grid of rectangles as regions: a control that knows nothing of the picture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rectangles of equal size, whatever the picture shows."""

    rows: int = 4
    """Rectangles one below the other, at least 1; no more than the image has rows of pixels are made."""
    columns: int = 4
    """Rectangles side by side, at least 1; no more than the image has columns of pixels are made."""
    kind: Literal["grid"] = "grid"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        for name, number in (("rows", self.rows), ("columns", self.columns)):
            if number < 1:
                raise ValueError(f"{name} is {number}; it must be at least 1")

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Divide an image into rectangles whose sides differ by at most one pixel.

        Args:
            image: Shape (H, W, M); only its size is used.
            name: Not used.

        Returns:
            Label maps, shape (1, H, W) int32, numbered 0, 1, ... row after row.
        """
        height, width = image.shape[:2]
        rows, columns = min(self.rows, height), min(self.columns, width)
        row_of_pixel = np.arange(height) * rows // height
        column_of_pixel = np.arange(width) * columns // width
        return (row_of_pixel[:, None] * columns + column_of_pixel).astype(np.int32)[None]
