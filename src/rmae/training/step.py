"""The forward half of a training step."""

from torch import nn

from rmae.config import LossConfig
from rmae.data.loader import ModelInput
from rmae.models.losses import Losses, pretrain_losses


def compute_losses(model: nn.Module, inputs: ModelInput, config: LossConfig) -> Losses:
    """Run a model and compare its predictions with what was hidden.

    Args:
        model: A masked autoencoder, plain or wrapped.
        inputs: On the device of the model.
        config: How losses are weighted.

    Returns:
        Scalars on the device; nothing here waits for it.
    """
    images, regions, ids_shuffle, region_ids_shuffle = inputs
    output = model(images, regions, ids_shuffle, region_ids_shuffle=region_ids_shuffle)
    return pretrain_losses(
        output,
        images,
        regions,
        normalize_pixels=config.normalize_pixels,
        pixel_weight=config.pixel_weight,
        region_weight=config.region_weight,
        background_weight=config.background_weight,
        region_loss=config.region_loss,
        balance_area=config.balance_area,
    )
