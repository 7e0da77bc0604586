"""ViT and ViTMAE as transformers saves them: the pixel encoder, and with it the pixel decoder."""

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from rmae.config import ModelConfig
from rmae.config_json import config_from_json
from rmae.models.assembly import SavedModel, norm_eps_of
from rmae.models.interchange.settings import checked_norm_eps, known_statistics, read_statistics
from rmae.models.interchange.shapes import count_blocks, mlp_ratio_of, shape_of, side_or_sides
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.ops.positions import sincos_positions
from rmae.quoting import quoted

Architecture = Literal["vit", "vit_mae"]
"""transformers' `model_type`."""

_NAMES = {
    "embeddings.cls_token": "encoder.cls_token",
    "embeddings.position_embeddings": "encoder.pos_embed",
    "embeddings.patch_embeddings.projection.": "encoder.patch_embed.proj.",
    "layernorm.": "encoder.norm.",
    "decoder.mask_token": "pixel_decoder.sequence.mask_token",
    "decoder.decoder_embed.": "pixel_decoder.sequence.embed.",
    "decoder.decoder_norm.": "pixel_decoder.sequence.norm.",
    "decoder.decoder_pred.": "pixel_decoder.prediction.",
}
"""What stands outside of the blocks: published names (of facebook/vit-mae-base and the like) to this project's."""
_STACKS = {"encoder.layer.": "encoder.blocks.", "decoder.decoder_layers.": "pixel_decoder.sequence.blocks."}
_BLOCK = {
    "layernorm_before.": "norm1.",
    "attention.attention.query.": "attn.qkv.",
    "attention.attention.key.": "attn.qkv.",
    "attention.attention.value.": "attn.qkv.",
    "attention.output.dense.": "attn.proj.",
    "layernorm_after.": "norm2.",
    "intermediate.dense.": "mlp.fc1.",
    "output.dense.": "mlp.fc2.",
}
_QKV = tuple(name for name, ours in _BLOCK.items() if ours == "attn.qkv.")
_TABLE = "decoder.decoder_pos_embed"
_NEWER = {
    r"^layers\.": "encoder.layer.",
    r"^decoder\.decoder_encoder\.layer\.": "decoder.decoder_layers.",
    r"\.attention\.q_proj\.": ".attention.attention.query.",
    r"\.attention\.k_proj\.": ".attention.attention.key.",
    r"\.attention\.v_proj\.": ".attention.attention.value.",
    r"\.attention\.o_proj\.": ".attention.output.dense.",
    r"\.mlp\.fc1\.": ".intermediate.dense.",
    r"\.mlp\.fc2\.": ".output.dense.",
}
"""Names that transformers 5 uses inside, and at times in files, to the published ones."""
_DEFAULTS = {
    "image_size": 224, "num_attention_heads": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "mask_ratio": 0.75,
    "decoder_num_attention_heads": 16,
}  # fmt: skip
"""What a config that leaves something out means."""


def transformers_config(
    model: MaskedAutoencoder, architecture: Architecture, *, norm_pix_loss: bool = True
) -> dict[str, Any]:
    """The `config.json` of a model for transformers.

    Args:
        model: The model.
        architecture: "vit" = the encoder; "vit_mae" = encoder and pixel decoder.
        norm_pix_loss: Whether the pixel loss normalises each patch; of "vit_mae" alone.

    Raises:
        ValueError: The architecture needs what the model has not, or the other way round.

    Source:
        huggingface/transformers, configuration_vit.py and configuration_vit_mae.py.
    """
    if architecture not in (known := get_args(Architecture)):
        raise ValueError(f"architecture is {architecture!r}; it must be one of {', '.join(known)}")
    config = model.config
    embed_dim, depth, num_heads = config.encoder_shape
    height, width = config.image_hw
    common = {
        "model_type": architecture,
        "hidden_size": embed_dim,
        "num_hidden_layers": depth,
        "num_attention_heads": num_heads,
        "intermediate_size": int(embed_dim * config.mlp_ratio),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "layer_norm_eps": norm_eps_of(model),
        "image_size": side_or_sides([height, width]),
        "patch_size": config.patch_size,
        "num_channels": config.channels,
        "qkv_bias": True,
    }
    if architecture == "vit":
        pooler = {"pooler_output_size": embed_dim, "pooler_act": "linear"}
        return {"architectures": ["ViTModel"], **common, "encoder_stride": config.patch_size, **pooler}
    if model.pixel_decoder is None:
        raise ValueError("the model has no pixel decoder, which vit_mae needs; export it as vit")
    if height != width:
        raise ValueError(
            f"the model is for images of {height} x {width} pixels, and transformers' ViTMAEForPreTraining takes "
            "square ones alone; export it as vit, or resize it (--img-size)"
        )
    return {
        "architectures": ["ViTMAEForPreTraining"],
        **common,
        "decoder_hidden_size": config.decoder_embed_dim,
        "decoder_num_hidden_layers": config.decoder_depth,
        "decoder_num_attention_heads": config.decoder_num_heads,
        "decoder_intermediate_size": int(config.decoder_embed_dim * config.mlp_ratio),
        "mask_ratio": config.mask_ratio,
        "norm_pix_loss": norm_pix_loss,
    }


def transformers_preprocessor(model: MaskedAutoencoder) -> dict[str, Any]:
    """The `preprocessor_config.json` that turns pictures into what the model takes.

    Raises:
        ValueError: The model does not say what images are normalised by.
    """
    mean, std = known_statistics(model)
    height, width = model.config.image_hw
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": height, "width": width},
        "resample": 3,  # Pillow's number of bicubic
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(mean),
        "image_std": list(std),
    }


def transformers_tensors(model: MaskedAutoencoder, architecture: Architecture) -> dict[str, Tensor]:
    """A model's weights by the names that transformers publishes.

    With "vit", the pooler is the identity, so that it gives the class token and nothing in it is random.
    """
    wanted = ("encoder.",) if architecture == "vit" else ("encoder.", "pixel_decoder.sequence.", "pixel_decoder.pred")
    renamed: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if name.startswith(wanted):
            renamed |= _to_published(name, tensor)
    if architecture == "vit":
        embed_dim = model.config.encoder_shape.embed_dim
        return renamed | {"pooler.dense.weight": torch.eye(embed_dim), "pooler.dense.bias": torch.zeros(embed_dim)}
    assert model.pixel_decoder is not None
    renamed[_TABLE] = model.pixel_decoder.sequence.pos_embed
    return {name if name.startswith("decoder.") else f"vit.{name}": tensor for name, tensor in renamed.items()}


def _to_published(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A tensor under its published name, or three where queries, keys and values are apart there."""
    for stack, ours in _STACKS.items():
        if name.startswith(ours):
            index, _, inside = name.removeprefix(ours).partition(".")
            part, kind = inside.rsplit(".", maxsplit=1)
            published = [f"{stack}{index}.{theirs}{kind}" for theirs, inner in _BLOCK.items() if inner == f"{part}."]
            return dict(zip(published, tensor.chunk(len(published)), strict=True))
    for theirs, ours in _NAMES.items():
        if name.startswith(ours):
            return {theirs + name.removeprefix(ours): tensor}
    raise AssertionError(name)


def from_transformers(
    config: Mapping[str, Any],
    state_dict: Mapping[str, Tensor],
    preprocessor: Mapping[str, Any],
    *,
    where: str,
) -> SavedModel:
    """Read a ViT or ViTMAE that transformers saved.

    Args:
        config: Of its `config.json`.
        state_dict: Its weights, with or without a head, which is left out.
        preprocessor: Of its `preprocessor_config.json`; empty where there is none.
        where: Name of the folder, for errors.

    Raises:
        ValueError: It is another kind of model, or config and weights do not fit.
    """
    kind = config["model_type"]
    if kind not in ("vit", "vit_mae"):
        raise ValueError(
            f"{where} holds a model of type {quoted(kind)}; of transformers' models rmae reads vit and vit_mae"
        )
    config = _DEFAULTS | {name: value for name, value in config.items() if value is not None}
    if config["hidden_act"] != "gelu":
        raise ValueError(f"{where}: hidden_act is {quoted(config['hidden_act'])}; the encoder of rmae has gelu")
    published = _published(state_dict, has_decoder=kind == "vit_mae")
    tensors = _to_ours(published, where)
    shape = _shape(config, published, where)
    saved_config = config_from_json(ModelConfig, shape, where=where)
    if _TABLE in published:
        _check_table(published[_TABLE], saved_config, where)
    channels = saved_config.channels
    if not preprocessor.get("do_normalize", True):
        preprocessor = {"image_mean": [0.0] * channels, "image_std": [1.0] * channels}
    mean, std = read_statistics(preprocessor, channels, where=where, names=("image_mean", "image_std"))
    return SavedModel(saved_config, tensors, checked_norm_eps(config["layer_norm_eps"], where=where), mean, std)


def _published(state_dict: Mapping[str, Tensor], *, has_decoder: bool) -> dict[str, Tensor]:
    """Tensors by their published names in the model itself, without what stands on top of it."""
    head = ("pooler.", "classifier.", "embeddings.mask_token") + (() if has_decoder else ("decoder.",))
    published = {}
    for name, tensor in state_dict.items():
        plain = name.removeprefix("vit.")
        for newer, older in _NEWER.items():
            plain = re.sub(newer, older, plain)
        if not plain.startswith(head):
            published[plain] = tensor
    return published


def _to_ours(published: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    tensors = {}
    for name, tensor in published.items():
        if name == _TABLE or any(part in name for part in _QKV[1:]):
            continue
        ours = _our_name(name)
        if ours is None:
            raise ValueError(f"{where} holds {quoted(name)}, which is not a name of transformers' ViT or ViTMAE")
        if _QKV[0] in name:
            parts = [name.replace(_QKV[0], part) for part in _QKV]
            if missing := [part for part in parts if part not in published]:
                raise ValueError(f"the weights lack {quoted(missing[0])}")
            if len({(published[part].shape, published[part].dtype) for part in parts}) > 1 or not tensor.ndim:
                raise ValueError(f"the weights' {quoted(name)} is not of the shape of keys and values")
            tensor = torch.cat([published[part] for part in parts])
        tensors[ours] = tensor
    return tensors


def _our_name(name: str) -> str | None:
    for stack, ours in _STACKS.items():
        if name.startswith(stack):
            index, _, inside = name.removeprefix(stack).partition(".")
            for theirs, inner in _BLOCK.items():
                if inside.startswith(theirs):
                    return f"{ours}{index}.{inner}{inside.removeprefix(theirs)}"
    for theirs, ours in _NAMES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return None


def _shape(config: Mapping[str, Any], published: Mapping[str, Tensor], where: str) -> dict[str, Any]:
    """The architecture as JSON of a `ModelConfig`: from the shapes, or where they do not tell, from the config."""
    embed_dim, channels, patch_height, patch_width = shape_of(
        published, "embeddings.patch_embeddings.projection.weight", num_dims=4
    )
    if patch_height != patch_width:
        raise ValueError(f"{where}: patches are {patch_height} x {patch_width} pixels; rmae takes square ones")
    if "encoder.layer.0.attention.attention.query.bias" not in published:
        raise ValueError(f"{where}: the attention has no biases (qkv_bias), which the encoder of rmae has")
    ratio = mlp_ratio_of(shape_of(published, "encoder.layer.0.intermediate.dense.weight")[0], embed_dim)
    shape = {
        "task": "mae",
        "img_size": side_or_sides(config["image_size"]),
        "patch_size": patch_height,
        "channels": channels,
        "embed_dim": embed_dim,
        "depth": count_blocks(published, "encoder.layer"),
        "num_heads": config["num_attention_heads"],
        "mlp_ratio": ratio,
    }
    if config["model_type"] == "vit":
        return shape
    shape["mask_ratio"] = config["mask_ratio"]
    if not any(name.startswith("decoder.") for name in published):
        return shape
    width = shape_of(published, "decoder.decoder_embed.weight")[0]
    hidden = shape_of(published, "decoder.decoder_layers.0.intermediate.dense.weight")[0]
    if int(width * ratio) != hidden:
        raise ValueError(
            f"{where}: the MLPs are {hidden / width:g} times as wide as their blocks in the decoder and {ratio:g} "
            "times in the encoder; rmae has one ratio for both"
        )
    return shape | {
        "decoder_embed_dim": width,
        "decoder_depth": count_blocks(published, "decoder.decoder_layers"),
        "decoder_num_heads": config["decoder_num_attention_heads"],
    }


def _check_table(table: Tensor, config: ModelConfig, where: str) -> None:
    """Positions of the decoder are computed here, so those of the file must be the same."""
    ours = sincos_positions(config.decoder_embed_dim, config.grid)
    if table.shape != ours.shape or not torch.allclose(table.float(), ours, atol=1e-4):
        raise ValueError(
            f"{where}: decoder_pos_embed is not the sine-cosine table of {config.image_hw} pixels, which the pixel "
            "decoder of rmae has; leave out the decoder by saving the model's .vit alone"
        )
