"""Where the blocks of an encoder look: attention of chosen patches, and features to compare them by."""

from collections.abc import Sequence
from functools import partial

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

CLASS_TOKEN = -1
"""In place of a patch: the class token asks."""


@torch.no_grad()
def attention_maps(vit: VisionTransformer, images: Tensor, *, layers: Sequence[int], ids_query: Tensor) -> Tensor:
    """What chosen patches attend to, in chosen layers; nothing of it outlives the call but the result.

    Args:
        vit: The encoder.
        images: Shape (B, M, H, W) float, normalised, of the encoder's size.
        layers: Blocks by number, from 0 on or, negative, from the end.
        ids_query: Patches that ask, in raster order, shape (B, Q) int64; `CLASS_TOKEN` = the class token.

    Returns:
        Shape (B, len(layers), num_heads, Q, T + L): over the T tokens that stand before the patches (the class token
        first), then over the L patches. Each row sums to 1.

    Raises:
        ValueError: There is no such layer, no class token where it is to ask, or attention is of a kind that has no
            such maps.
    """
    wanted = [_block_number(layer, len(vit.blocks)) for layer in layers]
    if not vit.has_class_token and (ids_query == CLASS_TOKEN).any():
        raise ValueError("this encoder has no class token that could ask; choose patches")
    tokens = torch.where(ids_query == CLASS_TOKEN, 0, ids_query + vit.num_prefix_tokens)  # (B, Q)
    found: dict[int, Tensor] = {}

    def keep(number: int, attention: Attention, inputs: tuple[Tensor, ...]) -> None:
        found[number] = _attention_from(attention, inputs[0], tokens)

    hooks = []
    try:
        for number in set(wanted):
            attention = getattr(vit.blocks[number], "attn", None)
            if not isinstance(attention, Attention):
                raise ValueError(
                    f"block {number} of this encoder has attention of the kind {type(attention).__name__}, of which no "
                    "maps can be had; take a plain Vision Transformer"
                )
            hooks.append(attention.register_forward_pre_hook(partial(keep, number)))
        vit.forward_features(images)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([found[number] for number in wanted], dim=1)  # (B, layers, heads, Q, T + L)


@torch.no_grad()
def patch_features(vit: VisionTransformer, images: Tensor) -> Tensor:
    """Features of all patches after the final norm, wherever the encoder has it: some have it behind the pooling.

    Args:
        vit: The encoder.
        images: Shape (B, M, H, W) float, normalised, of the encoder's size.

    Returns:
        Shape (B, L, D) in raster order.
    """
    return vit.fc_norm(vit.forward_features(images)[:, vit.num_prefix_tokens :])


def _block_number(layer: int, depth: int) -> int:
    if not -depth <= layer < depth:
        raise ValueError(f"there is no layer {layer}; the encoder has {depth}, from 0 to {depth - 1}, or -1 = the last")
    return layer % depth


def _attention_from(attention: Attention, tokens: Tensor, ids: Tensor) -> Tensor:
    """Attention of the tokens `ids` (B, Q) among tokens (B, N, D), as the module itself has it; (B, heads, Q, N)."""
    q, k, _ = attention.qkv(tokens).chunk(3, dim=-1)  # (B, N, D) each
    q, k = (x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for x in (q, k))  # (B, heads, N, D/heads)
    q, k = attention.q_norm(q), attention.k_norm(k)
    index = ids[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[3])
    scores = torch.gather(q, 2, index) * attention.scale @ k.transpose(-2, -1)  # (B, heads, Q, N)
    return functional.softmax(scores.float(), dim=-1)
