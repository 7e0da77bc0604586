"""Completing an object's map from a share of its patches, and controls that look at nothing but that share."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from scipy.ndimage import distance_transform_edt

from rmae.evaluation.interactive.clicks import overlap


class Completer(Protocol):
    """Completes a region map that is known in part."""

    def __call__(self, region: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Complete a map.

        Args:
            region: Shape (h, w) bool, False in patches that are not visible.
            visible: Patches in which it is known, shape (L,) bool in raster order.

        Returns:
            Where the region is, shape (h, w) bool.
        """
        ...


class SharesIou(NamedTuple):
    """IoU for each of k shares; NaN where nothing of the object is where one looks."""

    hidden: tuple[float, ...]
    """In the patches that were not visible."""
    whole: tuple[float, ...]
    """In the whole map, what was visible as it was given."""


def score_shares(
    region: np.ndarray,
    completers: Mapping[str, Completer],
    shares: Sequence[float],
    grid: tuple[int, int],
    generator: np.random.Generator,
) -> dict[str, SharesIou]:
    """Complete a map from growing shares of its patches.

    Args:
        region: The true map, shape (h, w) bool.
        completers: By name; all are given the same patches.
        shares: Of the patches, each in (0, 1); at least one patch is visible, and at least one is not.
        grid: Rows and columns of patches, which divide h and w.
        generator: Where the order comes from in which patches become visible.

    Returns:
        Scores of each completer.
    """
    order = draw_order(region, grid, generator)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in completers}
    for share in shares:
        visible = np.zeros(len(order), bool)
        visible[order[: num_visible(share, len(order))]] = True
        known = to_pixels(visible, grid, region.shape)
        for name, complete in completers.items():
            completed = np.where(known, region, complete(region & known, visible))
            hidden = overlap(region & ~known, completed & ~known) if (region & ~known).any() else float("nan")
            found[name].append((hidden, overlap(region, completed) if region.any() else float("nan")))
    return {
        name: SharesIou(tuple(hidden for hidden, _ in scores), tuple(whole for _, whole in scores))
        for name, scores in found.items()
    }


def draw_order(region: np.ndarray, grid: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw the order in which patches become visible: at random, but for the first, which has a part of the object.

    Without that, most small shares would show nothing of the object, and there would be nothing to complete.

    Args:
        region: Shape (h, w) bool.
        grid: Rows and columns of patches, which divide h and w.
        generator: Where the randomness comes from.

    Returns:
        A permutation of the patches, shape (L,) int64.
    """
    rows, columns = grid
    order = generator.permutation(rows * columns)
    blocks = region.reshape(rows, region.shape[0] // rows, columns, region.shape[1] // columns)
    touched = blocks.any(axis=(1, 3)).ravel()[order]
    first = int(touched.argmax())  # 0 where there is none
    return np.concatenate([order[first : first + 1], order[:first], order[first + 1 :]])


def num_visible(share: float, num_patches: int) -> int:
    """How many patches a share is: at least one, and not all."""
    return min(max(1, round(share * num_patches)), num_patches - 1)


def to_pixels(visible: np.ndarray, grid: tuple[int, int], size_hw: tuple[int, ...]) -> np.ndarray:
    """Which pixels (h, w) lie in visible patches (L,)."""
    rows, columns = grid
    return visible.reshape(grid).repeat(size_hw[0] // rows, axis=0).repeat(size_hw[1] // columns, axis=1)


class NothingMore:
    """The control that takes the object to be what is visible of it."""

    def __call__(self, region: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Add nothing."""
        return region


class NearestPixel:
    """The control that gives each pixel what the nearest visible pixel has; it needs no model, nor the picture.

    Args:
        grid: Rows and columns of patches.
    """

    def __init__(self, grid: tuple[int, int]) -> None:
        self._grid = grid

    def __call__(self, region: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Copy the nearest pixels."""
        known = to_pixels(visible, self._grid, region.shape)
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        assert nearest is not None
        return region[tuple(nearest)]
