"""The pixel encoder: a timm Vision Transformer, run on visible patches only."""

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

from rmae.models.blocks import LeanMlp, layer_norm, run_blocks
from rmae.ops.grid import grid_shape
from rmae.ops.patches import gather_patches, patchify
from rmae.ops.positions import sincos_positions


def build_encoder(
    *,
    img_size: tuple[int, int],
    patch_size: int,
    channels: int,
    embed_dim: int,
    depth: int,
    num_heads: int,
    mlp_ratio: float,
) -> VisionTransformer:
    """Build the timm Vision Transformer that serves as pixel encoder, with fixed sine-cosine positions.

    Args:
        img_size: Height and width in pixels.
        patch_size: P in pixels.
        channels: M.
        embed_dim: D.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of an MLP over D.

    Returns:
        The encoder, whose weights are still to be loaded or initialised; its `pos_embed` is frozen.
    """
    encoder = VisionTransformer(
        img_size=img_size,
        patch_size=patch_size,
        in_chans=channels,
        num_classes=0,
        global_pool="token",
        embed_dim=embed_dim,
        depth=depth,
        num_heads=num_heads,
        mlp_ratio=mlp_ratio,
        class_token=True,
        no_embed_class=False,
        norm_layer=layer_norm,  # pyright: ignore[reportArgumentType]  # timm types it as a class
        mlp_layer=LeanMlp,
        weight_init="skip",
    )
    positions = sincos_positions(embed_dim, grid_shape(img_size, patch_size))
    assert encoder.pos_embed is not None
    encoder.pos_embed.requires_grad_(False).copy_(positions)
    return encoder


def encode_visible(encoder: VisionTransformer, images: Tensor, ids_keep: Tensor) -> Tensor:
    """Encode the visible patches of images; hidden patches are never embedded.

    Args:
        encoder: Of `build_encoder`.
        images: Shape (B, M, H, W) float, normalised.
        ids_keep: Patches to encode, shape (B, K) int64.

    Returns:
        Tokens after the final norm, class token first, shape (B, 1 + K, D).
    """
    assert encoder.pos_embed is not None
    assert encoder.cls_token is not None
    projection = encoder.patch_embed.proj
    visible = gather_patches(patchify(images, projection.kernel_size[0]), ids_keep)  # (B, K, P*P*M)
    tokens = functional.linear(visible, projection.weight.permute(0, 2, 3, 1).flatten(1), projection.bias)  # (B, K, D)
    cls_position, patch_positions = encoder.pos_embed.split([1, encoder.pos_embed.shape[1] - 1], dim=1)
    tokens = tokens + gather_patches(patch_positions.expand(len(images), -1, -1), ids_keep)
    cls_token = (encoder.cls_token + cls_position).expand(len(images), -1, -1).to(tokens.dtype)
    tokens = torch.cat([cls_token, tokens], dim=1)  # (B, 1 + K, D)
    tokens = run_blocks(encoder.blocks, encoder.norm_pre(tokens), None, recompute=encoder.grad_checkpointing)
    return encoder.norm(tokens)
