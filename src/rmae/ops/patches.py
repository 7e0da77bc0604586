"""Cutting maps into patches, putting them back, and picking some of them."""

from torch import Tensor


def patchify(maps: Tensor, patch_size: int) -> Tensor:
    """Cut maps into flat patches in raster order, channel fastest inside a patch.

    Args:
        maps: Shape (..., M, H, W), any dtype; H and W divisible by `patch_size`.
        patch_size: Side of a patch in pixels, P.

    Returns:
        Shape (..., L, P*P*M), same dtype, L = (H/P) (W/P).
    """
    *batch, channels, height, width = maps.shape
    rows, columns = height // patch_size, width // patch_size
    maps = maps.reshape(*batch, channels, rows, patch_size, columns, patch_size)
    patches = maps.movedim((-4, -2, -3, -1, -5), (-5, -4, -3, -2, -1))  # (..., H/P, W/P, P, P, M)
    return patches.reshape(*batch, rows * columns, patch_size * patch_size * channels)


def unpatchify(patches: Tensor, patch_size: int, grid: tuple[int, int]) -> Tensor:
    """Put flat patches back into maps: the inverse of `patchify`.

    Args:
        patches: Shape (..., L, P*P*M) in raster order, channel fastest.
        patch_size: Side of a patch in pixels, P.
        grid: Rows and columns of patches; their product is L.

    Returns:
        Shape (..., M, H, W), same dtype.
    """
    *batch, _, patch_values = patches.shape
    rows, columns = grid
    channels = patch_values // patch_size**2
    patches = patches.reshape(*batch, rows, columns, patch_size, patch_size, channels)
    maps = patches.movedim((-5, -4, -3, -2, -1), (-4, -2, -3, -1, -5))  # (..., M, H/P, P, W/P, P)
    return maps.reshape(*batch, channels, rows * patch_size, columns * patch_size)


def gather_patches(patches: Tensor, ids: Tensor) -> Tensor:
    """Pick patches by index, the same ones for everything between the batch and the patch dimension.

    Args:
        patches: Shape (B, ..., L, C), for instance (B, L, C) or (B, R, L, C).
        ids: Shape (B, N) int64, each in [0, L).

    Returns:
        Shape (B, ..., N, C), same dtype as `patches`.
    """
    return patches.gather(-2, patch_index(patches, ids))


def patch_index(patches: Tensor, ids: Tensor) -> Tensor:
    """Ids as an index along the patch dimension, as `gather` and `scatter` take it.

    Args:
        patches: Shape (B, ..., L, C); only the shape matters.
        ids: Shape (B, N) int64.

    Returns:
        Shape (B, ..., N, C) int64, without memory of its own.
    """
    between = patches.ndim - 3
    index = ids.reshape(ids.shape[0], *(1,) * between, ids.shape[1], 1)
    return index.expand(*patches.shape[:-2], ids.shape[1], patches.shape[-1])
