"""The pixel and region losses."""

import math
from typing import Literal, NamedTuple, assert_never

import torch
from torch import Tensor
from torch.nn import functional

from rmae.models.masked_autoencoder import PretrainOutput
from rmae.ops.patches import gather_patches, patchify


class Losses(NamedTuple):
    """Scalars on the device of the predictions, float32 (float64 for float64 predictions)."""

    total: Tensor
    """pixel_weight * pixel + region_weight * region."""
    pixel: Tensor
    """Pixel loss; 0 without pixel predictions."""
    region: Tensor
    """Region loss; 0 without region predictions."""


def pretrain_losses(
    output: PretrainOutput,
    images: Tensor,
    regions: Tensor | None,
    *,
    normalize_pixels: bool = True,
    pixel_weight: float = 1.0,
    region_weight: float = 1.0,
    background_weight: float = 1.0,
    region_loss: Literal["bce", "l2"] = "bce",
    balance_area: bool = False,
) -> Losses:
    """Compare predictions with what was hidden.

    Args:
        output: Of the model.
        images: What the model was given, shape (B, M, H, W) float, normalised.
        regions: What the model was given, shape (B, R, H, W) bool, or None.
        normalize_pixels: Normalise every target patch by its own mean and variance.
        pixel_weight: Weight of the pixel loss in the total.
        region_weight: Weight of the region loss in the total.
        background_weight: Weight in the region loss of pixels outside the region.
        region_loss: "bce" = binary cross-entropy with logits, "l2" = squared error of the probability.
        balance_area: Let the pixels of each region and those outside count for half of its loss each, by how many of
            them are hidden; a region that is hidden nowhere, or everywhere, is averaged as it is.

    Returns:
        The three losses.

    Raises:
        ValueError: There are region predictions but no regions to compare them with.

    Source:
        R-MAE (arXiv 2306.05411), section 3; facebookresearch/mae for the normalised pixels.
    """
    pixel = region = torch.zeros((), device=images.device)
    if output.pixel_prediction is not None:
        pixel = _pixel_loss(_widen(output.pixel_prediction), output, _widen(images), normalize_pixels)
    if output.region_logits is not None:
        if regions is None:
            raise ValueError("the output holds region predictions, so the regions that the model saw are needed too")
        region = _region_loss(
            _widen(output.region_logits), output, regions, background_weight, region_loss, balance_area
        )
    return Losses(pixel_weight * pixel + region_weight * region, pixel, region)


def patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """What patches (..., P*P*M) are normalised by: mean and deviation (..., 1), the variance unbiased and + 1e-6."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + 1e-6).sqrt()


def _widen(values: Tensor) -> Tensor:
    """To float32, unless wider already: half precision is too coarse for means over many patches."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _pixel_loss(prediction: Tensor, output: PretrainOutput, images: Tensor, normalize_pixels: bool) -> Tensor:
    patch_size = math.isqrt(prediction.shape[-1] // images.shape[1])
    target = gather_patches(patchify(images, patch_size), output.pixel_ids)  # (B, N, P*P*M)
    if normalize_pixels:
        mean, deviation = patch_statistics(target)
        target = (target - mean) / deviation
    return _mean_where((prediction - target).square().mean(dim=-1), output.pixel_hidden)


def _region_loss(
    logits: Tensor,
    output: PretrainOutput,
    regions: Tensor,
    background_weight: float,
    region_loss: Literal["bce", "l2"],
    balance_area: bool,
) -> Tensor:
    patch_size = math.isqrt(logits.shape[-1])
    target = gather_patches(patchify(regions.unsqueeze(2), patch_size), output.region_ids)  # (B, R, N', P*P) bool
    match region_loss:
        case "bce":
            # Cross-entropy with targets that are 0 or 1; its gradient needs them as bool, and not as float. Beyond the
            # threshold the softplus is its argument, to the last bit of a float64.
            loss = functional.softplus(torch.where(target, -logits, logits), threshold=40)
        case "l2":
            loss = (logits.sigmoid() - target.to(logits.dtype)).square()
        case _:
            assert_never(region_loss)
    if background_weight != 1:
        # Divided by the number of pixels, not of weights, as the method has it.
        loss = torch.where(target, loss, background_weight * loss)
    if balance_area:
        loss = loss * _balance(target, output.region_hidden, loss.dtype)
    return _mean_where(loss.mean(dim=(1, 3)), output.region_hidden)


def _balance(target: Tensor, hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights (B, R, N, P*P) under which the two sides of each region count alike on its hidden patches (B, N)."""
    where = hidden[:, None, :, None]
    num_pixels = hidden.sum(1, dtype=dtype).view(-1, 1, 1, 1) * target.shape[-1]
    num_inside = (target & where).sum((2, 3), keepdim=True, dtype=dtype)  # (B, R, 1, 1)
    num_outside = num_pixels - num_inside
    one_sided = (num_inside == 0) | (num_outside == 0)
    weights = torch.where(target, num_pixels / (2 * num_inside), num_pixels / (2 * num_outside))
    return weights.masked_fill(one_sided, 1.0)


def _mean_where(losses: Tensor, hidden: Tensor) -> Tensor:
    """Mean of (B, N) losses over the hidden patches of the whole batch."""
    return (losses * hidden).sum() / hidden.sum()
