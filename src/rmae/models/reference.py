"""Names and shapes of the published MAE and R-MAE weights."""

import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from rmae.config import ModelConfig
from rmae.models.assembly import assemble
from rmae.models.interchange.shapes import count_blocks, mlp_ratio_of, shape_of
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.quoting import quoted

_PREFIXES = {
    "decoder_embed.": "pixel_decoder.sequence.embed.",
    "decoder_blocks.": "pixel_decoder.sequence.blocks.",
    "decoder_norm.": "pixel_decoder.sequence.norm.",
    "decoder_pred.": "pixel_decoder.prediction.",
    "region_patch_embed.proj.": "region_branch.encoder.patch_embed.",
    "region_enc_blocks.": "region_branch.encoder.blocks.",
    "region_cross_embed.": "region_branch.neck.embed.",
    "region_cross_blocks.": "region_branch.neck.blocks.",
    "region_dec_norm.": "region_branch.neck.norm.",
    "region_proj.0.": "region_branch.decoder.query_norm.",
    "region_proj.1.": "region_branch.decoder.query_proj.",
    "region_dec_blocks.": "region_branch.decoder.blocks.",
    "region_pred.1.": "region_branch.decoder.prediction.",
}
_NAMES = {
    "mask_token": "pixel_decoder.sequence.mask_token",
    "region_cross_mask_token": "region_branch.neck.mask_token",
}
_EXPANSION = "region_branch.decoder.expansion."
"""The last block of the region decoder, which the reference numbers like the others."""
_ENCODER = ("cls_token", "pos_embed", "patch_embed.", "blocks.", "norm.")
_POSITION_TABLES = {
    "decoder_pos_embed": "pixel_decoder.sequence.pos_embed",
    "region_pos_embed": "region_branch.encoder.pos_embed",
    "region_cross_pos_embed": "region_branch.neck.pos_embed",
}
"""Fixed tables that the reference saves and this project computes."""


def from_reference(
    state_dict: Mapping[str, Tensor],
    *,
    img_size: int | tuple[int, int],
    num_heads: int,
    decoder_num_heads: int,
    region_encoder_heads: int,
    region_decoder_heads: int,
) -> MaskedAutoencoder:
    """Build a model from weights under the names of the reference code for MAE and R-MAE.

    Everything but the image size and the numbers of heads is read from the shapes.

    Args:
        state_dict: Tensors by reference name.
        img_size: Side, or height and width, in pixels.
        num_heads: Heads of the pixel encoder.
        decoder_num_heads: Heads of the pixel decoder; not used where there is none.
        region_encoder_heads: Heads of the region encoder; not used where there is none.
        region_decoder_heads: Heads of the neck and the region decoder; not used where there are none.

    Returns:
        The model, float32. Parts whose weights are missing are None.

    Raises:
        ValueError: A name is unknown, a part is incomplete, or the shapes do not fit the image size or the heads.

    Source:
        Names of facebookresearch/mae and facebookresearch/r-mae.
    """
    config = _read_config(
        state_dict,
        img_size=img_size,
        num_heads=num_heads,
        decoder_num_heads=decoder_num_heads,
        region_encoder_heads=region_encoder_heads,
        region_decoder_heads=region_decoder_heads,
    )
    tables = {name: state_dict[name] for name in _POSITION_TABLES if name in state_dict}
    model = assemble(config, rename_reference(without_tables(state_dict)))
    for name, table in tables.items():
        ours = model.get_buffer(_POSITION_TABLES[name])
        # Some tables of the region branch carry the class token's position, which is zero and never used.
        theirs = (table[:, -ours.shape[1] :] if table.ndim == 3 else table).float()
        if theirs.shape != ours.shape or not torch.allclose(theirs, ours, atol=1e-4):
            raise ValueError(f"{name} is not the sine-cosine table of a {config.image_hw} image; check img_size")
    return model


def is_reference(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether tensors carry the reference's names (those of timm, for the pixel encoder)."""
    return "patch_embed.proj.weight" in state_dict


def to_reference(model: MaskedAutoencoder) -> dict[str, Tensor]:
    """Give a model's weights the names of the reference code: the inverse of `from_reference`.

    Args:
        model: Any parts of it may be missing.

    Returns:
        Tensors by reference name, with the position tables that the reference saves.

    Raises:
        ValueError: The reference code has no names for the model's choices.
    """
    config = model.config
    if model.region_branch is not None and (config.region_variant, config.feeding) != ("length", "pixel_to_region"):
        raise ValueError(
            f"region_variant is {config.region_variant} and feeding {config.feeding}, for which the reference code has "
            "no names; it knows region_variant length with feeding pixel_to_region alone"
        )
    if model.pixel_decoder is not None and model.pixel_decoder.query_proj is not None:
        raise ValueError(
            f"feeding is {config.feeding}, for which the reference code's pixel decoder has no names; it knows "
            "pixel_to_region alone"
        )
    ours = model.state_dict()
    expansion = f"region_dec_blocks.{config.region_decoder_depth - 1}."
    renamed = {_reference_name(name, expansion): tensor for name, tensor in ours.items()}
    buffers = dict(model.named_buffers())
    for name, buffer in _POSITION_TABLES.items():
        if buffer in buffers:
            table = buffers[buffer]
            # The reference saves the class token's position, which is zero, in every table.
            has_class = table.shape[1] == ours["encoder.pos_embed"].shape[1]
            renamed[name] = table if has_class else functional.pad(table, (0, 0, 1, 0))
    return renamed


def _reference_name(ours: str, expansion: str) -> str:
    """The reference's name of a tensor; `expansion` is what its expanding block's names begin with."""
    if ours.startswith("encoder."):
        return ours.removeprefix("encoder.")
    for theirs, name in _NAMES.items():
        if ours == name:
            return theirs
    if ours.startswith(_EXPANSION):
        inside = ours.removeprefix(_EXPANSION)
        return expansion + inside.replace("context_proj.", "proj.").replace("norm2.", "norm3.")
    for theirs, prefix in _PREFIXES.items():
        if ours.startswith(prefix):
            return theirs + ours.removeprefix(prefix)
    raise AssertionError(ours)


def without_tables(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by reference name without the fixed position tables that this project computes."""
    return {name: tensor for name, tensor in state_dict.items() if name not in _POSITION_TABLES}


def rename_reference(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors from the reference's names to this project's.

    Args:
        state_dict: Tensors, or anything else, by reference name, without fixed position tables.

    Raises:
        ValueError: A name is not one of the reference's.
    """
    blocks = [int(found[1]) for name in state_dict if (found := re.match(r"region_dec_blocks\.(\d{1,9})\.", name))]
    last = f"region_branch.decoder.blocks.{max(blocks, default=0)}."
    renamed = {}
    for name, tensor in state_dict.items():
        ours = _rename(name)
        if ours.startswith(last):
            ours = ours.replace(last, _EXPANSION)
            ours = ours.replace(f"{_EXPANSION}proj.", f"{_EXPANSION}context_proj.")
            ours = ours.replace(f"{_EXPANSION}norm3.", f"{_EXPANSION}norm2.")
        renamed[ours] = tensor
    return renamed


def _rename(name: str) -> str:
    if name.startswith(_ENCODER):
        return f"encoder.{name}"
    if name in _NAMES:
        return _NAMES[name]
    for theirs, ours in _PREFIXES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    raise ValueError(f"the weights hold {quoted(name)}, which is not a name of MAE or R-MAE")


def _read_config(
    state_dict: Mapping[str, Tensor],
    *,
    img_size: int | tuple[int, int],
    num_heads: int,
    decoder_num_heads: int,
    region_encoder_heads: int,
    region_decoder_heads: int,
) -> ModelConfig:
    """Read the architecture from the shapes; what belongs to missing parts keeps its default."""
    embed_dim, channels, patch_size, _ = shape_of(state_dict, "patch_embed.proj.weight", num_dims=4)
    has_pixels = "decoder_pred.weight" in state_dict
    has_regions = "region_pred.1.weight" in state_dict
    decoder_shape = _decoder_shape(state_dict, decoder_num_heads) if has_pixels else {}
    region_shape = _region_shape(state_dict, region_encoder_heads, region_decoder_heads) if has_regions else {}
    encoder_only = ModelConfig(
        task="mae",
        img_size=img_size,
        patch_size=patch_size,
        channels=channels,
        embed_dim=embed_dim,
        depth=count_blocks(state_dict, "blocks"),
        num_heads=num_heads,
        mlp_ratio=mlp_ratio_of(shape_of(state_dict, "blocks.0.mlp.fc1.weight")[0], embed_dim),
    )
    task = ("rmae" if has_pixels else "rae") if has_regions else "mae"
    config = replace(encoder_only, task=task, **decoder_shape, **region_shape)
    num_positions = shape_of(state_dict, "pos_embed", num_dims=3)[1]
    rows, columns = config.grid
    if num_positions != rows * columns + 1:
        raise ValueError(
            f"the weights have {num_positions - 1} positions, but an image of {config.image_hw} has {rows} x {columns} "
            f"patches of {patch_size} pixels; give the img_size they were trained with"
        )
    return config


def _decoder_shape(state_dict: Mapping[str, Tensor], num_heads: int) -> dict[str, int]:
    return {
        "decoder_embed_dim": shape_of(state_dict, "decoder_embed.weight")[0],
        "decoder_depth": count_blocks(state_dict, "decoder_blocks"),
        "decoder_num_heads": num_heads,
    }


def _region_shape(state_dict: Mapping[str, Tensor], encoder_heads: int, decoder_heads: int) -> dict[str, int]:
    return {
        "region_embed_dim": shape_of(state_dict, "region_cross_embed.weight")[0],
        "region_encoder_depth": count_blocks(state_dict, "region_enc_blocks"),
        "region_encoder_num_heads": encoder_heads,
        "neck_depth": count_blocks(state_dict, "region_cross_blocks"),
        "region_decoder_depth": count_blocks(state_dict, "region_dec_blocks"),
        "region_decoder_num_heads": decoder_heads,
    }
