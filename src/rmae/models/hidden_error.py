"""How far reconstructions are from the truth where it was hidden, and how far a guess without detail is."""

import torch
from torch import Tensor

from rmae.models.losses import patch_statistics
from rmae.ops.patches import patchify, unpatchify


def flat_guess(
    images: Tensor, hidden: Tensor, *, patch_size: int, grid: tuple[int, int], normalize_pixels: bool
) -> Tensor:
    """Fill hidden patches with one colour: what a reconstruction has to beat.

    Args:
        images: Shape (B, M, H, W) float, normalised as the model takes them.
        hidden: Shape (B, L) bool in raster order.
        patch_size: P in pixels.
        grid: Rows and columns of patches; their product is L.
        normalize_pixels: Whether reconstructions borrow each true patch's mean, as those of models trained on
            normalised pixels do. The guess then is that mean; otherwise it is the mean of each channel over the visible
            patches.

    Returns:
        Shape (B, M, H, W), visible patches as they are.
    """
    truth = patchify(images, patch_size)  # (B, L, P*P*M)
    if normalize_pixels:
        flat = patch_statistics(truth)[0]  # (B, L, 1)
    else:
        channels = images.shape[1]
        of_channels = truth.unflatten(-1, (-1, channels)).mean(dim=2)  # (B, L, M)
        visible = (~hidden).unsqueeze(-1)
        mean = (of_channels * visible).sum(1, keepdim=True) / visible.sum(1, keepdim=True)  # (B, 1, M)
        flat = mean.repeat(1, 1, patch_size**2)  # channel fastest
    patches = torch.where(hidden.unsqueeze(-1), flat.expand_as(truth), truth)
    return unpatchify(patches, patch_size, grid)


def hidden_error(guess: Tensor, truth: Tensor, hidden: Tensor, *, patch_size: int) -> Tensor:
    """Root mean square difference on hidden patches, over their pixels and channels.

    Args:
        guess: Shape (B, M, H, W) float.
        truth: The same shape.
        hidden: Shape (B, L) bool in raster order; at least one patch of each image is.
        patch_size: P in pixels.

    Returns:
        Shape (B,), in the unit of the images.
    """
    squares = patchify((guess - truth).square(), patch_size).mean(dim=-1)  # (B, L)
    return ((squares * hidden).sum(dim=1) / hidden.sum(dim=1)).sqrt()
