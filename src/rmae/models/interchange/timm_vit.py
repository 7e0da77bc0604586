"""The pixel encoder as timm saves its Vision Transformers, and theirs as pixel encoder."""

import re
import warnings
from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import timm
import torch
from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from rmae.config import ModelConfig
from rmae.config.model import MOST_BLOCKS
from rmae.config_json import config_from_json
from rmae.models.assembly import SavedModel
from rmae.models.interchange.settings import known_statistics, read_statistics
from rmae.models.interchange.shapes import mlp_ratio_of, shape_of, side_or_sides
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.quoting import one_line, quoted

_ARCHITECTURES = {
    (192, 12, 3): "vit_tiny_patch16_224",
    (384, 12, 6): "vit_small_patch16_224",
    (768, 12, 12): "vit_base_patch16_224",
    (1024, 24, 16): "vit_large_patch16_224",
    (1280, 32, 16): "vit_huge_patch14_224",
}
"""timm's name by width, depth and heads. All sizes are given beside it, so that any of them would do."""

_USUAL_CHANNELS = 3
_CROP_SHARE = 0.875
"""Share of a picture that a centre crop keeps in evaluation, as MAE has it: 224 of 256 pixels."""

_FOREIGN = {
    r"(^|\.)reg(ister)?_tokens?$": "register tokens",
    r"\.(ls[12]\.)?gamma(_[12])?$": "layer scale",
    r"^fc_norm\.": "a norm after pooling (fc_norm) in place of the final norm",
    r"^norm_pre\.": "a norm before the blocks",
    r"\.[qk]_norm\.": "norms of queries and keys",
    r"(^|\.)dist_token$": "a distillation token",
    r"^attn_pool\.": "attention pooling",
    r"relative_position|\.rel_pos": "relative positions",
}
"""What other Vision Transformers have, by the names of their weights."""


def timm_config(model: MaskedAutoencoder) -> dict[str, Any]:
    """The `config.json` beside an encoder's weights, as timm's hub format has it.

    Raises:
        ValueError: The model does not say what images are normalised by.

    Source:
        huggingface/pytorch-image-models, timm/models/_hub.py.
    """
    config = model.config
    embed_dim, depth, num_heads = config.encoder_shape
    mean, std = known_statistics(model)
    return {
        "architecture": _ARCHITECTURES.get(config.encoder_shape, "vit_base_patch16_224"),
        "num_classes": 0,
        "num_features": embed_dim,
        "global_pool": "token",
        "model_args": {
            "img_size": list(config.image_hw),
            "patch_size": config.patch_size,
            "in_chans": config.channels,
            "embed_dim": embed_dim,
            "depth": depth,
            "num_heads": num_heads,
            "mlp_ratio": config.mlp_ratio,
        },
        "pretrained_cfg": {
            "num_classes": 0,
            "input_size": [config.channels, *config.image_hw],
            "fixed_input_size": True,
            "pool_size": None,
            "crop_pct": _CROP_SHARE,
            "crop_mode": "center",
            "interpolation": "bicubic",
            "mean": list(mean),
            "std": list(std),
            # timm before 1.0.31 makes other patch weights of those of other channels, though they are as many.
            "first_conv": "patch_embed.proj" if config.channels == _USUAL_CHANNELS else None,
            "classifier": "head",
        },
    }


def timm_tensors(model: MaskedAutoencoder) -> dict[str, Tensor]:
    """The encoder's weights by timm's names."""
    return dict(model.encoder.state_dict())


def from_timm(config: Mapping[str, Any], state_dict: Mapping[str, Tensor], *, where: str) -> SavedModel:
    """Read a Vision Transformer that timm saved.

    Args:
        config: Of its `config.json`.
        state_dict: Its weights.
        where: Name of the folder, for errors.

    Raises:
        ValueError: It is not a plain Vision Transformer with a class token, or config and weights do not fit.
    """
    state_dict = plain_encoder(state_dict)
    vit, num_heads = _plain_vit(plan_network(config, where), config["architecture"], where)
    settings = config.get("pretrained_cfg", config)
    if not isinstance(settings, dict):
        raise ValueError(f"{where}: pretrained_cfg is {quoted(settings)}; it must be an object")
    patch_height, patch_width = vit.patch_embed.patch_size
    if patch_height != patch_width:
        raise ValueError(f"{where}: patches are {patch_height} x {patch_width} pixels; rmae takes square ones")
    hidden = shape_of(state_dict, "blocks.0.mlp.fc1.weight")[0]
    shape = {
        "task": "mae",
        "img_size": side_or_sides(list(vit.patch_embed.img_size)),
        "patch_size": patch_height,
        "channels": vit.patch_embed.proj.in_channels,
        "embed_dim": vit.embed_dim,
        "depth": len(vit.blocks),
        "num_heads": num_heads,
        "mlp_ratio": mlp_ratio_of(hidden, vit.embed_dim),
    }
    mean, std = read_statistics(settings, vit.patch_embed.proj.in_channels, where=where, names=("mean", "std"))
    tensors = {f"encoder.{name}": tensor for name, tensor in state_dict.items()}
    return SavedModel(config_from_json(ModelConfig, shape, where=where), tensors, _norm_eps(vit, where), mean, std)


BUILD_ERRORS = (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, ArithmeticError, LookupError)
"""What timm raises for arguments that make no sense."""


def plan_network(config: Mapping[str, Any], where: str) -> nn.Module:
    """Build what a `config.json` of timm describes, without memory for weights.

    Args:
        config: Of a folder that timm saved.
        where: Name of the folder, for errors.

    Raises:
        ValueError: There is no such model, or its arguments make no sense.
    """
    name, arguments = config["architecture"], config.get("model_args", {})
    if not isinstance(name, str) or not timm.is_model(name):
        raise ValueError(f"{where} holds weights of {quoted(name)}, which is not a model of timm")
    if not isinstance(arguments, dict) or arguments.keys() - signature(VisionTransformer).parameters.keys():
        raise ValueError(f"{where}: model_args are not those of timm's VisionTransformer")
    depth = arguments.get("depth", 1)
    if not isinstance(depth, int) or not 0 <= depth <= MOST_BLOCKS:
        raise ValueError(f"{where}: depth is {quoted(depth)}; it must lie between 0 and {MOST_BLOCKS:,}")
    build: Callable[..., nn.Module] = timm.create_model
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty weights, which do not fit the tensors
            return build(name, pretrained=False, **(arguments | {"num_classes": 0}))
    except BUILD_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{where}: timm cannot build what it describes: {one_line(reason)}") from error


def _plain_vit(vit: nn.Module, name: str, where: str) -> tuple[VisionTransformer, int]:
    """A network, if it is a plain Vision Transformer, and its number of attention heads."""
    if type(vit) is VisionTransformer and vit.has_class_token and not vit.no_embed_class:
        match next(vit.blocks.children(), None):
            case Block(attn=Attention(num_heads=num_heads), mlp=Mlp(act=nn.GELU())):
                return vit, num_heads
            case _:
                pass
    raise ValueError(
        f"{where} holds timm's {name}, which is not a plain Vision Transformer with a class token, a "
        "position for it, and GELU; rmae reads such ones alone"
    )


def _norm_eps(vit: VisionTransformer, where: str) -> float:
    if not isinstance(vit.norm, nn.LayerNorm):
        raise ValueError(f"{where}: the Vision Transformer has no final layer norm, which the encoder of rmae has")
    return vit.norm.eps


def plain_encoder(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a plain Vision Transformer by timm's names, without a classifier.

    Args:
        state_dict: Tensors by timm's names; those of MAE's decoders may be among them.

    Raises:
        ValueError: They are of another kind of Vision Transformer; the sentence says what it has or lacks.
    """
    for pattern, what in _FOREIGN.items():
        for name in state_dict:
            if re.search(pattern, name):
                raise ValueError(f"the weights have {what} ({quoted(name)}), which the encoder of rmae has not")
    for name, what in _NEEDED.items():
        if name not in state_dict:
            raise ValueError(f"the weights have no {what} ({name!r}), which the encoder of rmae needs")
    return {name: tensor for name, tensor in state_dict.items() if not name.startswith("head.")}


_NEEDED = {
    "cls_token": "class token",
    "pos_embed": "positions",
    "patch_embed.proj.bias": "bias of the patch projection",
    "blocks.0.attn.qkv.bias": "biases of queries, keys and values",
}
"""What some Vision Transformers lack, by the names of their weights."""
