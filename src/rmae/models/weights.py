"""Weights on disk: the one place that reads and writes them, as safetensors, atomically."""

import argparse
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rmae.config import ModelConfig
from rmae.config_json import config_from_json, config_to_json
from rmae.files import flush
from rmae.models.assembly import assemble
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.reference import from_reference, is_reference, shape_of

FORMAT_VERSION = 1
"""Version of the folders written here; another one is refused."""
CHECKPOINTS = "checkpoints"
"""Folder of a run that holds its checkpoints."""
_TENSORS = "model.safetensors"
_SCALARS = "config.json"
_MODEL = "model."


def write_folder(folder: Path, tensors: Mapping[str, Tensor], scalars: Mapping[str, Any]) -> None:
    """Write tensors and scalars as a folder that appears whole or not at all.

    Args:
        folder: What to write; replaced if it exists.
        tensors: Tensors by name, moved to the CPU.
        scalars: What `json.dumps` takes; a format version is added.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial / _TENSORS)
    (partial / _SCALARS).write_text(json.dumps({"version": FORMAT_VERSION, **scalars}, indent=2) + "\n")
    for written in (partial / _TENSORS, partial / _SCALARS, partial):
        flush(written)
    replaced = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if folder.exists():
        folder.rename(replaced)
    partial.rename(folder)
    flush(folder.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def read_scalars(folder: Path) -> dict[str, Any]:
    """Read the scalars of a folder that `write_folder` wrote.

    Raises:
        ValueError: The folder is not one, or is of another version.
    """
    try:
        scalars = json.loads((folder / _SCALARS).read_text())
        version = scalars["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} is not a model or a checkpoint of rmae ({error})") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{folder} is of format version {version}; this rmae reads version {FORMAT_VERSION}")
    return scalars


def read_tensors(folder: Path, prefix: str = "") -> dict[str, Tensor]:
    """Read the tensors of a folder whose names start with a prefix, by their names without it.

    Raises:
        ValueError: The file is missing, truncated or not in the safetensors format.
    """
    return {name.removeprefix(prefix): tensor for name, tensor in _read_safetensors(folder / _TENSORS, prefix).items()}


def _read_safetensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error


def save_model(model: MaskedAutoencoder, folder: Path) -> None:
    """Write a model; see `MaskedAutoencoder.save_pretrained`."""
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and {path.name for path in folder.iterdir()} <= {_TENSORS, _SCALARS}):
        raise ValueError(f"there is something else than a model in {folder}; choose a new or empty folder")
    tensors = {_MODEL + name: tensor for name, tensor in model.state_dict().items()}
    write_folder(folder, tensors, {"format": "model", "model": config_to_json(model.config)})


def upload_model(model: MaskedAutoencoder, name: str) -> None:
    """Upload a model; see `MaskedAutoencoder.push_to_hub`."""
    import tempfile

    from huggingface_hub import HfApi

    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        save_model(model, folder)
        HfApi().create_repo(name, exist_ok=True)
        HfApi().upload_folder(repo_id=name, folder_path=folder)


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None; their names sort by update."""
    return max(run.joinpath(CHECKPOINTS).glob("update_*"), default=None)


def load(source: str | Path | Mapping[str, Tensor], *, num_heads: int | None = None) -> MaskedAutoencoder:
    """Load a model from wherever its weights are.

    Args:
        source: A run folder (its newest checkpoint), a checkpoint, a folder of `save_pretrained`, a hub id
            "org/name", an official MAE or R-MAE file (`.pth`, `.safetensors`), or its tensors by name.
        num_heads: Heads of the pixel encoder for bare weights of unusual size; otherwise they are known, or 64
            channels wide (16 heads where the width is 1280).

    Returns:
        The model in training mode, float32, on the CPU. Parts that the source lacks are None, never random.

    Raises:
        ValueError: There is nothing at the source, or it holds no weights of this kind; the sentence says which.

    Example:
        >>> model = load("runs/demo")  # doctest: +SKIP
    """
    if isinstance(source, Mapping):
        return _load_bare(source, num_heads)
    path = Path(source)
    if path.is_dir():
        return _load_folder(newest_checkpoint(path) or path)
    if path.is_file():
        return _load_bare(_read_bare(path), num_heads)
    if len(path.parts) == 2 and not path.suffix:
        return _load_folder(_download(str(source)))
    raise ValueError(
        f"there is nothing at {source}; give a run, a checkpoint, a weights file or a hub id like org/name"
    )


def _load_folder(folder: Path) -> MaskedAutoencoder:
    scalars = read_scalars(folder)
    if "model" not in scalars:
        raise ValueError(f"there is no model in {folder}; if it is a run, it has no checkpoint yet")
    config = config_from_json(ModelConfig, scalars["model"], where=str(folder / _SCALARS))
    return assemble(config, read_tensors(folder, _MODEL))


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=[_TENSORS, _SCALARS]))
    except (HfHubHTTPError, OSError) as error:
        raise ValueError(f"there is no folder {name} here, and it cannot be had from the hub: {error}") from error


def _read_bare(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a weights file; official training checkpoints keep them under "model", beside their arguments."""
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's restricted reader has no common error for malformed files
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise ValueError(f"{path} cannot be read as a file of weights alone: {reason}") from error
    tensors = contents.get("model", contents) if isinstance(contents, dict) else contents
    if not isinstance(tensors, dict):
        raise ValueError(f"{path} holds a {type(contents).__name__}, not tensors by name")
    return tensors


def _load_bare(state_dict: Mapping[str, Tensor], num_heads: int | None) -> MaskedAutoencoder:
    if not is_reference(state_dict):
        raise ValueError("the weights carry neither the names of MAE nor those of R-MAE ('patch_embed.proj.weight')")
    embed_dim, _, patch_size, _ = shape_of(state_dict, "patch_embed.proj.weight")
    if num_heads is None:
        num_heads = 16 if embed_dim == 1280 else embed_dim // 64
        if embed_dim % 64:
            raise ValueError(
                f"the weights are {embed_dim} wide, which does not tell their number of heads; give num_heads"
            )
    num_patches = shape_of(state_dict, "pos_embed")[1] - 1
    side = math.isqrt(num_patches)
    if side * side != num_patches:
        raise ValueError("the weights are for images that are not square; give their size through rmae.from_reference")
    return from_reference(
        state_dict,
        img_size=side * patch_size,
        num_heads=num_heads,
        decoder_num_heads=_heads(state_dict, "decoder_embed.weight", 32),
        region_encoder_heads=_heads(state_dict, "region_cross_embed.weight", 16),
        region_decoder_heads=_heads(state_dict, "region_cross_embed.weight", 16),
    )


def _heads(state_dict: Mapping[str, Tensor], embedding: str, head_dim: int) -> int:
    """Heads of a published decoder, each `head_dim` wide."""
    return max(1, shape_of(state_dict, embedding)[0] // head_dim) if embedding in state_dict else 1
