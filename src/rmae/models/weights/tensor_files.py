"""Files of tensors by name: safetensors, torch's own, and either in several files with an index."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

_WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Names that timm and transformers give to their weights, the first one found counts."""


def read_safetensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Read the tensors of a safetensors file whose names start with a prefix.

    Raises:
        ValueError: The file is missing, truncated or not in the format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error


def read_torch(path: Path) -> Any:
    """Read what `torch.save` wrote, if it is tensors and plain values alone: nothing in it is ever run.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    try:
        # Official training checkpoints keep their arguments beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's restricted reader has no common error for malformed files
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise ValueError(f"{path} cannot be read as a file of weights alone: {reason}") from error


def tensors_by_name(contents: Any, *, where: Path) -> dict[str, Tensor]:
    """What a file holds, if it is tensors by name.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(contents, Mapping):
        raise ValueError(f"{where} holds a {type(contents).__name__}, not tensors by name")
    for name, tensor in contents.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"{where} holds a {type(tensor).__name__} called {name!r}, not tensors by name alone")
    return dict(contents)


def read_foreign_folder(folder: Path) -> dict[str, Tensor]:
    """Read the weights in a folder of timm or transformers, in one file or in several.

    Raises:
        ValueError: There are none, or they cannot be read.
    """
    for name in _WHOLE:
        if (folder / name).exists():
            return _read(folder / name)
        if (index := folder / f"{name}.index.json").exists():
            tensors = {}
            for shard in _shards(index):
                tensors |= _read(folder / shard)
            return tensors
    raise ValueError(f"there are no weights in {folder}: {' and '.join(_WHOLE)} are missing")


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    return tensors_by_name(read_torch(path), where=path)


def _shards(index: Path) -> list[str]:
    """Names of the files beside an index that hold its tensors."""
    try:
        shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} does not tell which file holds which weights ({error})") from error
    if outside := [shard for shard in shards if Path(shard).name != shard]:
        raise ValueError(f"{index} names {outside[0]!r}, which is not a file beside it")
    return shards
