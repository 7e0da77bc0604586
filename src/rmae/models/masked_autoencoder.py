"""MAE, RAE and R-MAE: a pixel encoder with a pixel decoder, a region branch, or both."""

from collections.abc import Sequence
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

    Attributes:
        pixel_mean: Mean of each of the M channels, full scale = 1, that images are normalised by; None = not known.
        pixel_std: Standard deviation of each channel, likewise. Both are saved beside the weights.
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
        self.pixel_mean: tuple[float, ...] | None = None
        self.pixel_std: tuple[float, ...] | None = None
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

    def save_pretrained(
        self, folder: str | Path, *, run: str | Path | None = None, results: Sequence[str | Path] = ()
    ) -> None:
        """Write all parts of the model as a folder that `rmae.load` reads.

        It holds `model.safetensors`, `config.json` and a model card, `README.md`.

        Args:
            folder: New, empty, or a model saved earlier, which is replaced, its card included.
            run: Folder of the run that trained the model; its settings and last losses go into the card.
            results: Files of evaluations (`results.json`) whose figures go into the card.

        Raises:
            ValueError: There is something else in the folder, or the run or a result cannot be read.
        """
        from rmae.models.weights import save_model

        save_model(self, Path(folder), run=run, results=results)

    def push_to_hub(self, name: str, *, run: str | Path | None = None, results: Sequence[str | Path] = ()) -> None:
        """Upload the model to the Hugging Face hub, where `rmae.load(name)` finds it.

        What is uploaded is what `save_pretrained` writes. The licence is left to you: add it to the card's head.

        Args:
            name: "org/name"; made if it does not exist. The files of an earlier upload are replaced.
            run: As in `save_pretrained`.
            results: As in `save_pretrained`.

        Raises:
            ValueError: The name is none, the hub cannot be reached or refuses, or a file cannot be read.
        """
        from rmae.models.weights import upload_model

        upload_model(self, name, run=run, results=results)


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
