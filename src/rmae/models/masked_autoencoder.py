"""MAE, RAE and R-MAE: a pixel encoder with a pixel decoder, a region branch, or both."""

from pathlib import Path
from typing import NamedTuple

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from rmae.config import ModelConfig
from rmae.models.blocks import LeanMlp
from rmae.models.encoder import encode_visible
from rmae.models.map_decoder import ChannelDecoder
from rmae.models.pixel_decoder import PixelDecoder
from rmae.models.region_branch import RegionBranch
from rmae.ops.masking import hidden_patches


class PretrainOutput(NamedTuple):
    """What a masked autoencoder predicts, and which patches the predictions stand for."""

    pixel_prediction: Tensor | None
    """Shape (B, N, P*P*M), channel fastest; None without a pixel decoder."""
    region_logits: Tensor | None
    """One logit a pixel, shape (B, R, N', P*P); None without a region branch or without regions."""
    pixel_ids: Tensor
    """Patches that `pixel_prediction` stands for, shape (B, N) int64."""
    region_ids: Tensor
    """Patches that `region_logits` stand for, shape (B, N') int64."""
    pixel_hidden: Tensor
    """Shape (B, N) bool, True where the pixel loss applies."""
    region_hidden: Tensor
    """Shape (B, N') bool, True where the region loss applies."""


class MaskedAutoencoder(nn.Module):
    """Reconstructs hidden patches of images, of their region maps, or of both.

    Args:
        encoder: The pixel encoder.
        pixel_decoder: Reconstructs pixels; None in RAE.
        region_branch: Completes region maps; None in MAE.
        config: What the parts were built from; saved beside the weights.
    """

    def __init__(
        self,
        *,
        encoder: VisionTransformer,
        pixel_decoder: PixelDecoder | None,
        region_branch: RegionBranch | None,
        config: ModelConfig,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pixel_decoder = pixel_decoder
        self.region_branch = region_branch
        self.config = config
        self.num_visible = config.num_visible
        self.region_num_visible = config.region_num_visible

    def forward(
        self,
        images: Tensor,
        regions: Tensor | None,
        ids_shuffle: Tensor,
        *,
        region_ids_shuffle: Tensor | None = None,
        predict_visible: bool = False,
    ) -> PretrainOutput:
        """Hide patches and predict them.

        Args:
            images: Shape (B, M, H, W) float, normalised.
            regions: Shape (B, R, H, W) bool, of any R but in the `channel` variant; None leaves the region branch out.
            ids_shuffle: Shape (B, L) int64, a permutation of the patches per image; the first K are visible.
            region_ids_shuffle: The same for the region maps; None takes `ids_shuffle`.
            predict_visible: Predict all patches in raster order instead of the hidden ones in the order of the ids.

        Returns:
            Predictions of the parts that the model has.

        Raises:
            ValueError: Regions are given to a model without a region branch, or to one of the `channel` variant in
                another number than it was built for.
        """
        if regions is not None:
            self._check_regions(regions.shape[1])
        if region_ids_shuffle is None:
            region_ids_shuffle = ids_shuffle
        pixel_ids, pixel_hidden = _patches_to_predict(ids_shuffle, self.num_visible, predict_visible)
        region_ids, region_hidden = _patches_to_predict(region_ids_shuffle, self.region_num_visible, predict_visible)
        encoded = encode_visible(self.encoder, images, ids_shuffle[:, : self.num_visible])
        pixel_prediction = region_logits = queries = None
        if self.region_branch is not None and regions is not None:
            region_logits, queries = self.region_branch(
                encoded, regions, ids_shuffle, region_ids_shuffle, self.region_num_visible, region_ids
            )
        if self.pixel_decoder is not None:
            pixel_prediction = self.pixel_decoder(encoded, ids_shuffle, pixel_ids, queries)
        return PretrainOutput(pixel_prediction, region_logits, pixel_ids, region_ids, pixel_hidden, region_hidden)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Hold between the passes only what goes into each block, and compute the rest again in the backward pass.

        Takes far less memory and about a third more time; predictions and gradients are the same.

        Args:
            enable: Whether to; a new model does not.
        """
        for part in self.modules():
            if hasattr(part, "grad_checkpointing"):  # timm's name for it, taken over by all parts that have blocks
                part.grad_checkpointing = enable  # pyright: ignore[reportArgumentType]  # takes it for a submodule
            if isinstance(part, LeanMlp):
                part.recompute_activation = not enable

    def _check_regions(self, num_regions: int) -> None:
        if self.region_branch is None:
            raise ValueError("this model has no region branch, so it takes no regions; give None")
        decoder = self.region_branch.decoder
        if isinstance(decoder, ChannelDecoder) and num_regions != decoder.num_regions:
            raise ValueError(
                f"there are {num_regions} regions an image, but this model's channels are made for "
                f"{decoder.num_regions}; give that many, or train with region_variant length or batch"
            )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model as a folder that `rmae.load` reads: `model.safetensors` and `config.json`.

        Args:
            folder: New, empty, or a model saved earlier, which is replaced.

        Raises:
            ValueError: There is something else in the folder.
        """
        from rmae.models.weights import save_model

        save_model(self, Path(folder))

    def push_to_hub(self, name: str) -> None:
        """Upload the model to the Hugging Face hub, where `rmae.load(name)` finds it.

        Args:
            name: "org/name"; made if it does not exist.
        """
        from rmae.models.weights import upload_model

        upload_model(self, name)


def _patches_to_predict(ids_shuffle: Tensor, num_visible: int, predict_visible: bool) -> tuple[Tensor, Tensor]:
    """Ids of the patches to predict and whether each is hidden, both (B, N)."""
    if not predict_visible:
        ids = ids_shuffle[:, num_visible:]
        return ids, torch.ones_like(ids, dtype=torch.bool)
    ids = torch.arange(ids_shuffle.shape[1], device=ids_shuffle.device).expand_as(ids_shuffle)
    return ids, hidden_patches(ids_shuffle, num_visible)


def encode(model: MaskedAutoencoder, images: Tensor) -> Tensor:
    """Encode whole images, nothing masked.

    Args:
        model: Any model with a pixel encoder.
        images: Shape (B, M, H, W) float, normalised.

    Returns:
        Tokens after the final norm, class token first, shape (B, 1 + L, D).
    """
    return model.encoder.forward_features(images)
