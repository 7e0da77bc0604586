"""A model from wherever its weights are."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from rmae.files import read_json
from rmae.models.assembly import SavedModel
from rmae.models.interchange.settings import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Statistics,
    read_statistics,
    with_settings,
)
from rmae.models.interchange.shapes import shape_of, square_side
from rmae.models.interchange.timm_vit import from_timm, plain_encoder
from rmae.models.interchange.transformers_vit import from_transformers
from rmae.models.interchange.vitdet import from_vitdet, is_vitdet
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.reference import from_reference, is_reference, rename_reference, without_tables
from rmae.models.weights.folder import CHECKPOINTS, SCALARS, newest_checkpoint, read_scalars, read_tensors
from rmae.models.weights.tensor_files import (
    read_foreign_folder,
    read_safetensors,
    read_torch,
    tensors_by_name,
)
from rmae.quoting import one_line, quoted

MODEL = "model."
"""What the names of a model's weights begin with in our folders."""
NOTE = "rmae"
"""Key of our settings in a `.pth` file, beside "model"."""
_NOTE_VERSION = 1
_PREPROCESSOR = "preprocessor_config.json"
_HUB_ID = re.compile(r"[A-Za-z0-9_][\w.-]*/[\w.-]+")
_FILES = {".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".json"}
"""Endings of files, which no hub id has."""


def load(source: str | Path | Mapping[str, Tensor], *, num_heads: int | None = None) -> MaskedAutoencoder:
    """Load a model from wherever its weights are.

    Args:
        source: A run folder (its newest checkpoint), a checkpoint, a folder of `save_pretrained`, a hub id
            "org/name" (never a `Path`), a folder of timm or of transformers (vit, vit_mae), what `rmae export` wrote,
            an official MAE or R-MAE file or a plain Vision Transformer of timm (`.pth`, `.safetensors`), or the tensors
            of one by name.
        num_heads: Heads of the pixel encoder for bare weights of unusual size; otherwise they are known, or 64
            channels wide (16 heads where the width is 1280).

    Returns:
        The model in training mode, float32, on the CPU. Parts that the source lacks are None, never random. Its
        `pixel_mean` and `pixel_std` are those of the source, of its run, or, of bare weights of 3 channels, ImageNet's;
        otherwise None.

    Raises:
        ValueError: There is nothing at the source, or it holds no weights of this kind; the sentence says which.

    Example:
        >>> model = load("runs/demo")  # doctest: +SKIP
    """
    if isinstance(source, Mapping):
        return _load_bare(source, num_heads)
    path = Path(source)
    if path.is_dir():
        folder = newest_checkpoint(path) or path
        with _named(folder):
            return _read_folder(folder).build()
    if path.is_file():
        with _named(path):
            return _load_file(path, num_heads)
    if isinstance(source, str) and _may_be_hub_id(source):
        return _read_folder(_download(source)).build()
    raise ValueError(
        f"there is nothing at {source}; give a run, a checkpoint, a folder or file of weights or a hub id like org/name"
    )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let errors say which file or folder they are about, as those of tensors alone do not."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith((f"{path} ", f"{path}/", f"{path}: ")):
            raise
        raise ValueError(f"{path}: {error}") from error


def _may_be_hub_id(source: str) -> bool:
    return bool(_HUB_ID.fullmatch(source)) and Path(source).suffix not in _FILES


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    settings = [SCALARS, _PREPROCESSOR]
    try:
        folder = Path(snapshot_download(name, allow_patterns=[*settings, "model*.safetensors", "model*.index.json"]))
        if not any(folder.glob("model*.safetensors")):  # as some have it that transformers or timm wrote long ago
            snapshot_download(name, allow_patterns=[*settings, "pytorch_model*.bin", "pytorch_model*.index.json"])
    except (HfHubHTTPError, OSError) as error:
        reason = one_line((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise ValueError(f"there is no folder {name} here, and it cannot be had from the hub: {reason}") from error
    return folder


def _read_folder(folder: Path) -> SavedModel:
    """A folder of ours, of timm or of transformers: its config tells."""
    config = _read_json(folder / SCALARS)
    if "architecture" in config:
        return from_timm(config, read_foreign_folder(folder), where=str(folder))
    if "model_type" in config:
        preprocessor = _read_json(folder / _PREPROCESSOR)
        return from_transformers(config, read_foreign_folder(folder), preprocessor, where=str(folder))
    scalars = read_scalars(folder)
    if "model" not in scalars:
        raise ValueError(
            f"{folder} holds no model to load: a run has none before its first checkpoint, and an evaluation none "
            "at all"
        )
    saved = with_settings(scalars, read_tensors(folder, MODEL), where=str(folder / SCALARS))
    if saved.pixel_mean is None and folder.absolute().parent.name == CHECKPOINTS:
        mean, std = _statistics_of_run(folder.absolute().parents[1], saved.config.channels)
        return saved._replace(pixel_mean=mean, pixel_std=std)
    return saved


def _statistics_of_run(run: Path, channels: int) -> Statistics:
    """What a run normalised images by, for checkpoints that do not say it themselves yet."""
    settings = _read_json(run / SCALARS).get("config")
    data = settings.get("data") if isinstance(settings, dict) else None
    return read_statistics(data if isinstance(data, dict) else {}, channels, where=str(run / SCALARS))


def _read_json(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none, or no object."""
    try:
        contents = read_json(path)
    except (OSError, ValueError):
        return {}
    return contents if isinstance(contents, dict) else {}


def _load_file(path: Path, num_heads: int | None) -> MaskedAutoencoder:
    """A file of weights; training checkpoints, detectron2's and those we write keep them under "model"."""
    if path.suffix == ".safetensors":
        return _load_bare(read_safetensors(path), num_heads)
    contents = read_torch(path)
    if not isinstance(contents, Mapping) or "model" not in contents:
        return _load_bare(tensors_by_name(contents, where=path), num_heads)
    tensors = tensors_by_name(contents["model"], where=path)
    if NOTE in contents:
        return _read_noted(tensors, contents[NOTE], where=path).build()
    return _load_bare(tensors, num_heads)


def note_of(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What we write into a `.pth` file beside "model": settings, and tensors that have no place there."""
    return {"version": _NOTE_VERSION, "settings": dict(settings), "tensors": dict(tensors)}


def _read_noted(tensors: Mapping[str, Tensor], note: Any, *, where: Path) -> SavedModel:
    """A file that we exported, as its note tells."""
    known = isinstance(note, Mapping) and {"version", "settings", "tensors"} <= note.keys()
    if not known or not isinstance(note["settings"], Mapping):
        raise ValueError(f"{where} holds something under {NOTE!r} that rmae did not write")
    if note["version"] != _NOTE_VERSION:
        version = quoted(note["version"])
        raise ValueError(f"{where} is of format version {version}; this rmae reads version {_NOTE_VERSION}")
    rest = tensors_by_name(note["tensors"], where=where)
    ours = from_vitdet(tensors, rest) if is_vitdet(tensors) else rename_reference(without_tables(tensors)) | rest
    return with_settings(note["settings"], ours, where=str(where))


def _load_bare(state_dict: Mapping[str, Tensor], num_heads: int | None) -> MaskedAutoencoder:
    if is_vitdet(state_dict):
        raise ValueError(
            "the weights are of a ViTDet detector, whose backbone has no class token and no final norm; load the "
            "weights that it started from"
        )
    if any(re.search(r"(^|\.)embeddings\.patch_embeddings\.", name) for name in state_dict):
        raise ValueError("the weights carry transformers' names; give the folder that also holds their config.json")
    if not is_reference(state_dict):
        raise ValueError("the weights carry neither the names of MAE nor those of R-MAE ('patch_embed.proj.weight')")
    state_dict = plain_encoder(state_dict)
    embed_dim, channels, patch_size, _ = shape_of(state_dict, "patch_embed.proj.weight", num_dims=4)
    if num_heads is None:
        num_heads = 16 if embed_dim == 1280 else embed_dim // 64
        if embed_dim % 64:
            raise ValueError(
                f"the weights are {embed_dim} wide, which does not tell their number of heads; give num_heads"
            )
    model = from_reference(
        state_dict,
        img_size=square_side(shape_of(state_dict, "pos_embed", num_dims=3)[1] - 1) * patch_size,
        num_heads=num_heads,
        decoder_num_heads=_heads(state_dict, "decoder_embed.weight", 32),
        region_encoder_heads=_heads(state_dict, "region_cross_embed.weight", 16),
        region_decoder_heads=_heads(state_dict, "region_cross_embed.weight", 16),
    )
    if channels == len(IMAGENET_MEAN):
        model.pixel_mean, model.pixel_std = IMAGENET_MEAN, IMAGENET_STD
    return model


def _heads(state_dict: Mapping[str, Tensor], embedding: str, head_dim: int) -> int:
    """Heads of a published decoder, each `head_dim` wide."""
    return max(1, shape_of(state_dict, embedding)[0] // head_dim) if embedding in state_dict else 1
