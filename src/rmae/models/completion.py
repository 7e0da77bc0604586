"""Whole pictures from a model: reconstructions and completed region maps, for people to look at."""

from typing import NamedTuple

import torch
from torch import Tensor

from rmae.models.losses import patch_statistics
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.ops.patches import patchify, unpatchify


class Completion(NamedTuple):
    """What a model makes of partly hidden images."""

    reconstruction: Tensor | None
    """Shape (B, M, H, W), in the scale of the images, visible patches pasted; None without a pixel decoder."""
    pixel_hidden: Tensor
    """Shape (B, L) bool in raster order."""
    region_probability: Tensor | None
    """Shape (B, R, H, W) in [0, 1], visible patches pasted; None without a region branch or without regions."""
    region_hidden: Tensor
    """Shape (B, L) bool in raster order."""


@torch.no_grad()
def complete(
    model: MaskedAutoencoder,
    images: Tensor,
    regions: Tensor | None,
    ids_shuffle: Tensor,
    *,
    region_ids_shuffle: Tensor | None = None,
    normalize_pixels: bool,
) -> Completion:
    """Hide patches, predict them, and put the result back into pictures.

    Args:
        model: The model.
        images: Shape (B, M, H, W) float, normalised.
        regions: Shape (B, R, H, W) bool, or None.
        ids_shuffle: Shape (B, L) int64, the visible patches first.
        region_ids_shuffle: The same for the region maps; None takes `ids_shuffle`.
        normalize_pixels: Whether the model was trained on per-patch normalised pixels. Its predictions are then
            brought back with each true patch's mean and deviation, which the prediction alone does not tell.

    Returns:
        The completion, on the device of the images.
    """
    output = model(images, regions, ids_shuffle, region_ids_shuffle=region_ids_shuffle, predict_visible=True)
    patch_size, grid = model.config.patch_size, model.config.grid
    reconstruction = probability = None
    if output.pixel_prediction is not None:
        truth = patchify(images, patch_size)  # (B, L, P*P*M)
        predicted = output.pixel_prediction
        if normalize_pixels:
            mean, deviation = patch_statistics(truth)
            predicted = predicted * deviation + mean
        patches = torch.where(output.pixel_hidden.unsqueeze(-1), predicted, truth)
        reconstruction = unpatchify(patches, patch_size, grid)
    if output.region_logits is not None and regions is not None:
        hidden = output.region_hidden[:, None, :, None]
        true = patchify(regions.unsqueeze(2), patch_size).to(output.region_logits.dtype)  # (B, R, L, P*P)
        patches = torch.where(hidden, output.region_logits.sigmoid(), true)
        probability = unpatchify(patches, patch_size, grid).squeeze(2)  # (B, R, H, W)
    return Completion(reconstruction, output.pixel_hidden, probability, output.region_hidden)


def hidden_iou(probability: Tensor, regions: Tensor, hidden: Tensor, patch_size: int) -> tuple[Tensor, Tensor]:
    """Intersection over union of completed regions on hidden patches, and what calling all of it region would give.

    Args:
        probability: Shape (B, R, H, W) in [0, 1]; a pixel counts as region from 0.5.
        regions: The true maps, shape (B, R, H, W) bool.
        hidden: Shape (B, L) bool in raster order.
        patch_size: P in pixels.

    Returns:
        IoU and baseline, shape (B, R) each. The baseline is the region's share of the hidden pixels. Both are NaN for
        a region without a hidden pixel.
    """
    where = hidden[:, None, :, None]
    predicted = patchify((probability >= 0.5).unsqueeze(2), patch_size) & where  # (B, R, L, P*P)
    true = patchify(regions.unsqueeze(2), patch_size) & where
    num_true = true.sum((2, 3))
    iou = (predicted & true).sum((2, 3)) / (predicted | true).sum((2, 3))
    baseline = num_true / (hidden.sum(1, keepdim=True) * patch_size**2)
    nothing = num_true == 0
    return iou.masked_fill(nothing, torch.nan), baseline.masked_fill(nothing, torch.nan)
