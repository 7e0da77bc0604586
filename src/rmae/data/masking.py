"""Permutations that mask: the first entries are the patches that stay visible."""

import math

import numpy as np


def uniform_permutation(grid: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Order the patches at random.

    Args:
        grid: Rows and columns of patches; their product is L.
        generator: Where the randomness comes from.

    Returns:
        Shape (L,) int32.
    """
    return generator.permutation(math.prod(grid)).astype(np.int32)


def region_biased_permutation(regions: np.ndarray, grid: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Order the patches so that whole regions are hidden first, whatever the ratio.

    Regions are hidden one after the other in random order, each with every patch that it touches, and then the patches
    that none touches. Where a ratio falls inside a region or that rest, its hidden patches are a random choice.

    Args:
        regions: Shape (R, h, w) bool; h and w divisible by the grid's rows and columns.
        grid: Rows and columns of patches; their product is L.
        generator: Where the randomness comes from.

    Returns:
        Shape (L,) int32: what is hidden first stands last.

    Source:
        The region-biased masking of R-MAE (arXiv 2306.05411); that the order of the regions decides is our choice.
    """
    rows, columns = grid
    num_regions, height, width = regions.shape
    blocks = regions.reshape(num_regions, rows, height // rows, columns, width // columns)
    touched = blocks.any(axis=(2, 4)).reshape(num_regions, rows * columns)[generator.permutation(num_regions)]
    turn = np.where(touched.any(axis=0), touched.argmax(axis=0), num_regions)  # when a patch is hidden, (L,)
    shuffled = generator.permutation(rows * columns)
    hidden_first = shuffled[np.argsort(turn[shuffled], kind="stable")]
    return hidden_first[::-1].astype(np.int32)


def visible_pixels(ids_shuffle: np.ndarray, num_visible: int, grid: tuple[int, int], patch_size: int) -> np.ndarray:
    """Mark the pixels of visible patches.

    Args:
        ids_shuffle: Shape (L,), a permutation of the patches in raster order; the first ones are visible.
        num_visible: K, number of visible patches.
        grid: Rows and columns of patches; their product is L.
        patch_size: Side of a patch in pixels.

    Returns:
        Shape (rows * patch_size, columns * patch_size) bool, True where the patch is visible.
    """
    patches = np.zeros(grid, dtype=bool)
    patches.flat[ids_shuffle[:num_visible]] = True
    return patches.repeat(patch_size, axis=0).repeat(patch_size, axis=1)
