"""A mask cut down to where it is on: masks are many and mostly small, images are large."""

from typing import NamedTuple

import numpy as np


class PlacedMask(NamedTuple):
    """A box of a mask, outside of which the mask is off."""

    top: int
    """Row of the image in which the box begins."""
    left: int
    """Column of the image in which the box begins."""
    pixels: np.ndarray
    """What is in the box, shape (h, w) bool; (0, 0) for an empty mask."""

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the image that the box covers."""
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def cut_out(mask: np.ndarray) -> PlacedMask:
    """Cut a mask down to the smallest box that holds it.

    Args:
        mask: Shape (H, W) bool.

    Returns:
        The box, whose pixels are a view of the mask.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return PlacedMask(0, 0, mask[:0, :0])
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    return PlacedMask(top, left, mask[top:bottom, left:right])
