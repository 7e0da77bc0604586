"""The pixel encoder as the backbone of detectron2's ViTDet, and back."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rmae.models.masked_autoencoder import MaskedAutoencoder

PREFIX = "backbone.net."
"""What the names of the backbone begin with in a detector."""
_WINDOW = 14
"""Patches on each side of a window."""
_INPUT_SIZE = 1024
"""Pixels on each side of a detector's input."""
_RELATIVE = ("attn.rel_pos_h", "attn.rel_pos_w")
_SHARED = ("patch_embed.", "pos_embed", "blocks.")
"""What encoder and backbone both have, under the same names."""


def vitdet_settings(model: MaskedAutoencoder) -> dict[str, Any]:
    """What `model.backbone.net` must be set to in a detectron2 config for the weights to fit.

    Raises:
        ValueError: ViTDet has no such backbone.

    Source:
        facebookresearch/detectron2, configs/common/models/mask_rcnn_vitdet.py and projects/ViTDet/configs/COCO.
    """
    config = model.config
    height, width = config.image_hw
    if height != width:
        raise ValueError(
            f"the model is for images of {height} x {width} pixels, and ViTDet takes positions of square ones alone; "
            "resize it (--img-size 224)"
        )
    if config.patch_size % 4:
        raise ValueError(
            f"patch_size is {config.patch_size}; ViTDet's feature pyramid needs one divisible by 4: resize the model "
            "(--patch-size 16)"
        )
    embed_dim, depth, num_heads = config.encoder_shape
    whole = global_blocks(depth)
    return {
        "pretrain_img_size": height,
        "patch_size": config.patch_size,
        "in_chans": config.channels,
        "embed_dim": embed_dim,
        "depth": depth,
        "num_heads": num_heads,
        "mlp_ratio": config.mlp_ratio,
        "window_block_indexes": [index for index in range(depth) if index not in whole],
    }


def global_blocks(depth: int, number: int = 4) -> list[int]:
    """Blocks whose attention sees the whole image: the last of each of equal parts, as 2, 5, 8 and 11 of 12."""
    return sorted({depth * part // number - 1 for part in range(1, number + 1)} & set(range(depth)))


def to_vitdet(model: MaskedAutoencoder) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Split a model into what the backbone takes and what it has no place for.

    Args:
        model: The model.

    Returns:
        The backbone's weights by detectron2's names, its relative positions zero as at their start; and all other
        weights of the model by this project's names, the class token and the final norm among them.

    Raises:
        ValueError: ViTDet has no such backbone.

    Source:
        facebookresearch/detectron2, detectron2/modeling/backbone/vit.py.
    """
    settings = vitdet_settings(model)
    backbone, rest = {}, {}
    for name, tensor in model.state_dict().items():
        inside = name.removeprefix("encoder.")
        if inside != name and inside.startswith(_SHARED):
            backbone[PREFIX + inside] = tensor
        else:
            rest[name] = tensor
    head_dim = settings["embed_dim"] // settings["num_heads"]
    for index in range(settings["depth"]):
        side = _WINDOW if index in settings["window_block_indexes"] else _INPUT_SIZE // settings["patch_size"]
        for relative in _RELATIVE:
            device = model.encoder.patch_embed.proj.weight.device
            backbone[f"{PREFIX}blocks.{index}.{relative}"] = torch.zeros(2 * side - 1, head_dim, device=device)
    return backbone, rest


def from_vitdet(backbone: Mapping[str, Tensor], rest: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join what `to_vitdet` split.

    Returns:
        The model's weights by this project's names.

    Raises:
        ValueError: The backbone was trained in between, so that its relative positions are no longer zero.
    """
    tensors = dict(rest)
    for name, tensor in backbone.items():
        if name.endswith(_RELATIVE):
            if tensor.any():
                raise ValueError(
                    f"the weights' {name!r} is not zero, so they were trained as part of a detector, and the encoder "
                    "of rmae has no relative positions"
                )
        else:
            tensors[f"encoder.{name.removeprefix(PREFIX)}"] = tensor
    return tensors


def is_vitdet(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether tensors carry the names of a ViTDet detector."""
    return any(name.startswith(PREFIX) for name in state_dict)
