"""Which patch stands for an object, and what of the object is left to be found from there."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.data.crops import Crop, sample_positions
from rmae.regions.placed_mask import PlacedMask

TOO_SMALL = "covering too little of every patch"
NOTHING_INSIDE = "with nothing outside of their query patch"
NOTHING_OUTSIDE = "with nothing of the picture beside them"


class Query(NamedTuple):
    """A patch inside an object, from which the rest of the object is to be found; L patches in raster order."""

    patch: int
    """Which patch."""
    inside: np.ndarray
    """Pixels of each patch inside the mask, shape (L,) int64; 0 in the query patch, whose pixels do not count."""
    outside: np.ndarray
    """Pixels of each patch outside the mask, shape (L,) int64; 0 in the query patch."""


def resize_mask(mask: PlacedMask, picture_hw: tuple[int, int], size_hw: tuple[int, int]) -> np.ndarray:
    """Bring the mask of an object to the size at which an encoder sees its picture, nearest at pixel centres.

    Args:
        mask: In pixels of the picture.
        picture_hw: Height and width of the picture.
        size_hw: Height h and width w to which the whole picture is brought, whatever its shape.

    Returns:
        Shape (h, w) bool.
    """
    rows, columns = sample_positions(Crop(0, 0, *picture_hw, False), size_hw)
    resized = np.zeros(size_hw, dtype=bool)
    height, width = mask.pixels.shape
    rows, columns = rows - mask.top, columns - mask.left
    in_rows, in_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    resized[np.ix_(in_rows, in_columns)] = mask.pixels[np.ix_(rows[in_rows], columns[in_columns])]
    return resized


def place_query(mask: np.ndarray, patch_size: int, *, min_share: float) -> Query | str:
    """Choose the patch of which an object covers most; of several the one nearest to the object's centre of mass.

    Args:
        mask: The object as the encoder sees it, shape (h, w) bool; both divisible by the patch size.
        patch_size: P in pixels.
        min_share: Least share of that patch, in (0, 1], that the object must cover.

    Returns:
        The patch with what is left inside and outside of the mask, or why there is no such patch, in words that follow
        a number of objects.
    """
    height, width = mask.shape
    grid = (height // patch_size, width // patch_size)
    covered = mask.reshape(grid[0], patch_size, grid[1], patch_size).sum(axis=(1, 3))  # (rows, columns)
    if covered.max() < min_share * patch_size**2:
        return TOO_SMALL
    best = np.argwhere(covered == covered.max())  # in raster order, of which the first one wins among equals
    centre = _centre(mask) / patch_size - 0.5  # where the middle of patch (0, 0) is 0
    row, column = best[np.square(best - centre).sum(axis=1).argmin()].tolist()
    inside, outside = covered.copy(), patch_size**2 - covered
    inside[row, column] = outside[row, column] = 0
    if not inside.any():
        return NOTHING_INSIDE
    if not outside.any():
        return NOTHING_OUTSIDE
    return Query(row * grid[1] + column, inside.ravel(), outside.ravel())


def patch_distances(patches: Sequence[int] | np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Distance of each patch of a grid from given ones, between their middles.

    Args:
        patches: Shape (n,) int, in raster order.
        grid: Rows and columns; their product is L.

    Returns:
        Shape (n, L) float64, in patches; equal distances are equal numbers.
    """
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    own_rows, own_columns = np.divmod(np.asarray(patches)[:, None], grid[1])
    return np.sqrt(np.square(rows - own_rows) + np.square(columns - own_columns))


def _centre(mask: np.ndarray) -> np.ndarray:
    """Mean place of the pixels, shape (2,): row and column, where pixel (0, 0) ends at 1."""
    return np.argwhere(mask).mean(axis=0) + 0.5
