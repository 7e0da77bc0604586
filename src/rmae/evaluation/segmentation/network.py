"""The whole network: encoder, pyramid and heads."""

from typing import NamedTuple

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from rmae.evaluation.segmentation.feature_pyramid import NUM_LEVELS, FeaturePyramid, encode
from rmae.evaluation.segmentation.upernet import AuxiliaryHead, UperHead, resize

_AUXILIARY_LEVEL = 2  # the third features, at the resolution of the patches


class Segmentation(NamedTuple):
    """What the network says about every pixel."""

    logits: Tensor
    """Shape (B, num_classes, H, W)."""
    auxiliary_logits: Tensor
    """The same, of the auxiliary head: for training alone."""


class SegmentationNetwork(nn.Module):
    """UperNet on a Vision Transformer.

    Args:
        encoder: Any timm Vision Transformer of the pictures' size; its own norm and head are not used.
        head: From the four maps of the pyramid to logits.
        auxiliary_head: From the third features to logits.
    """

    def __init__(self, encoder: VisionTransformer, *, head: UperHead, auxiliary_head: AuxiliaryHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.pyramid = FeaturePyramid(encoder.embed_dim)
        self.head = head
        self.auxiliary_head = auxiliary_head

    def forward(self, images: Tensor) -> Segmentation:
        """Classify every pixel.

        Args:
            images: Shape (B, M, H, W) float, normalised, of the encoder's size.

        Returns:
            Logits at the size of the images.
        """
        features = encode(self.encoder, images)
        maps = self.pyramid(features)
        size_hw = images.shape[-2:]
        return Segmentation(
            resize(self.head(maps), size_hw), resize(self.auxiliary_head(features[_AUXILIARY_LEVEL]), size_hw)
        )

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Tensor:
        """Logits of the head alone, shape (B, num_classes, H, W); the argument is that of `forward`."""
        return resize(self.head(self.pyramid(encode(self.encoder, images))), images.shape[-2:])


def build_network(
    encoder: VisionTransformer,
    *,
    num_classes: int,
    head_channels: int,
    auxiliary_channels: int,
    dropout: float,
    generator: torch.Generator,
) -> SegmentationNetwork:
    """Put a segmenter together.

    Args:
        encoder: A timm Vision Transformer; it becomes part of the network, without what comes after its blocks.
        num_classes: Number of classes, at least 1.
        head_channels: Width of the head.
        auxiliary_channels: Width of the auxiliary head.
        dropout: Probability in [0, 1) of leaving out a channel before the classifiers, in training.
        generator: Where the weights of the heads are drawn from.

    Returns:
        The network, in training mode.
    """
    # Several processes would wait for the gradients of weights that are not used.
    encoder.norm, encoder.fc_norm, encoder.attn_pool = nn.Identity(), nn.Identity(), None
    width = encoder.embed_dim
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator.get_state())
        return SegmentationNetwork(
            encoder,
            head=UperHead(
                in_channels=width,
                num_levels=NUM_LEVELS,
                channels=head_channels,
                num_classes=num_classes,
                dropout=dropout,
            ),
            auxiliary_head=AuxiliaryHead(
                in_channels=width, channels=auxiliary_channels, num_classes=num_classes, dropout=dropout
            ),
        )
