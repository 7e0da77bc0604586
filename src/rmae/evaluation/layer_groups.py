"""Rates by layer: what lies deeper in a pre-trained encoder changes less."""

import re
from typing import Any

from torch import nn
from torch.optim import AdamW

from rmae.config import OptimizerConfig

_NOT_DECAYED = ("pos_embed", "cls_token", "reg_token", "rel_pos")
_INPUT = ("pos_embed", "cls_token", "reg_token", "patch_embed", "norm_pre")


def build_layerwise_adamw(model: nn.Module, config: OptimizerConfig, *, depth: int, layer_decay: float) -> AdamW:
    """Build fused AdamW for an encoder, which the model calls `encoder`, and its head; see `layer_groups`.

    Args:
        model: Its trainable parameters are optimised.
        config: Rates and decays.
        depth: Blocks of the encoder.
        layer_decay: In (0, 1].
    """
    groups = layer_groups(
        model, encoder="encoder.", depth=depth, weight_decay=config.weight_decay, layer_decay=layer_decay
    )
    return AdamW(groups, lr=config.lr, betas=config.betas, fused=True)


def layer_groups(
    model: nn.Module, *, encoder: str, depth: int, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Put the trainable parameters of a model into groups for AdamW.

    The rate of a parameter is the full one times `layer_decay` to the number of layers above its own: the patch
    projection and what is added to it are layer 0, block i is layer i + 1, and all the rest, the encoder's last norm
    included, is the topmost layer, depth + 1.

    Args:
        model: An encoder with its head.
        encoder: What the names of the encoder's parameters begin with, as in "encoder.".
        depth: Blocks of the encoder.
        weight_decay: Of matrices and convolutions; norms, biases, positions and tokens have none.
        layer_decay: In (0, 1].

    Returns:
        Groups with `params`, `weight_decay` and `lr_scale`.

    Source:
        MAE's fine-tuning (arXiv 2111.06377, appendix), after BEiT. ViTDet (arXiv 2203.16527) has the same rates; it
        decays biases and relative positions too.
    """
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = _layer(name.removeprefix(encoder), depth) if name.startswith(encoder) else depth + 1
        decayed = parameter.ndim > 1 and not any(part in name for part in _NOT_DECAYED)
        group = groups.setdefault(
            (layer, decayed),
            {
                "params": [],
                "weight_decay": weight_decay if decayed else 0.0,
                "lr_scale": layer_decay ** (depth + 1 - layer),
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def _layer(name: str, depth: int) -> int:
    block = re.match(r"blocks\.(\d+)\.", name)
    if block:
        return int(block[1]) + 1
    return 0 if name.startswith(_INPUT) else depth + 1
