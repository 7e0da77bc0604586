"""Masks as permutations: the first K entries of `ids_shuffle` are the visible patches."""

import torch
from torch import Tensor

from rmae.ops.patches import patch_index


def insert_mask_tokens(visible: Tensor, mask_token: Tensor, ids_shuffle: Tensor) -> Tensor:
    """Put visible tokens back to their places and a mask token everywhere else.

    Args:
        visible: Tokens of the first K patches of `ids_shuffle`, shape (B, ..., K, C).
        mask_token: Shape (1, 1, C).
        ids_shuffle: Shape (B, L) int64, a permutation of the patches per image.

    Returns:
        Tokens of all patches in raster order, shape (B, ..., L, C).
    """
    *batch, num_visible, width = visible.shape
    masked = mask_token.to(visible.dtype).expand(*batch, ids_shuffle.shape[1], width)
    return masked.scatter(-2, patch_index(visible, ids_shuffle[:, :num_visible]), visible)


def hidden_patches(ids_shuffle: Tensor, num_visible: int) -> Tensor:
    """Which patches are hidden.

    Args:
        ids_shuffle: Shape (B, L) int64, a permutation of the patches per image.
        num_visible: K, the length of the visible head of each permutation.

    Returns:
        Shape (B, L) bool in raster order, True where the patch is hidden.
    """
    hidden = torch.ones_like(ids_shuffle, dtype=torch.bool)
    return hidden.scatter(1, ids_shuffle[:, :num_visible], False)
