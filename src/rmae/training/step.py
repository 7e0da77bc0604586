"""The forward half of a training step, in one module: what can be compiled together."""

from typing import NamedTuple

from torch import Tensor, nn

from rmae.config import LossConfig
from rmae.models.losses import Losses, pretrain_losses
from rmae.ops.bits import unpack_bits
from rmae.ops.normalisation import Normalise


class ModelInput(NamedTuple):
    """A batch as the model takes it."""

    images: Tensor
    """Shape (B, M, h, w) float32, normalised."""
    regions: Tensor | None
    """Shape (B, R, h, w) bool; None where the task has no regions."""
    ids_shuffle: Tensor
    """Shape (B, L) int64, a permutation of the patches per image; the first K are visible."""
    region_ids_shuffle: Tensor | None
    """The same for the region maps; None where they share the image's."""


class PretrainStep(nn.Module):
    """From a batch as stored to its losses: normalises, unpacks, predicts and compares.

    Args:
        model: A masked autoencoder.
        loss: How losses are weighted.
        pixel_mean: Mean of each of the M channels, full scale = 1.
        pixel_std: Standard deviation of each channel, full scale = 1.
    """

    def __init__(
        self, model: nn.Module, loss: LossConfig, *, pixel_mean: tuple[float, ...], pixel_std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.normalise = Normalise(pixel_mean, pixel_std)

    def forward(
        self, images: Tensor, regions: Tensor | None, ids_shuffle: Tensor, region_ids_shuffle: Tensor | None
    ) -> Losses:
        """Run the model on a batch and compare its predictions with what was hidden.

        Args:
            images: Shape (B, M, h, w) uint8 or uint16.
            regions: Packed by `pack_bits`, shape (B, R, h, ceil(w / 8)) uint8, or None.
            ids_shuffle: Shape (B, L) int32, a permutation of the patches; the first K are visible.
            region_ids_shuffle: The same for the regions; None where they share the image's.

        Returns:
            Scalars on the device; nothing here waits for it.
        """
        return compute_losses(self.model, self.model_input(images, regions, ids_shuffle, region_ids_shuffle), self.loss)

    def model_input(
        self, images: Tensor, regions: Tensor | None, ids_shuffle: Tensor, region_ids_shuffle: Tensor | None
    ) -> ModelInput:
        """Normalise images and unpack regions; the arguments are those of `forward`."""
        return ModelInput(
            self.normalise(images),
            None if regions is None else unpack_bits(regions, images.shape[-1]),
            ids_shuffle.long(),
            None if region_ids_shuffle is None else region_ids_shuffle.long(),
        )


def compute_losses(model: nn.Module, inputs: ModelInput, config: LossConfig) -> Losses:
    """Run a model and compare its predictions with what was hidden.

    Args:
        model: A masked autoencoder.
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
