"""Folders of weights and settings that are there whole or not at all."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rmae.files import read_json, whole_folder, write_atomically, write_json
from rmae.models.weights.tensor_files import read_safetensors, write_safetensors
from rmae.quoting import one_line, quoted

FORMAT_VERSION = 1
"""Version of the folders written here; another one is refused."""
CHECKPOINTS = "checkpoints"
"""Folder of a run that holds its checkpoints."""
_CHECKPOINT = "update_[0-9]{9}"
"""Name of a checkpoint there; copies that somebody calls `update_best`, say, are none of ours."""
TENSORS = "model.safetensors"
SCALARS = "config.json"


def write_folder(
    folder: Path, tensors: Mapping[str, Tensor], scalars: Mapping[str, Any], *, texts: Mapping[str, str] | None = None
) -> None:
    """Write tensors and scalars as a folder that appears whole or not at all.

    Args:
        folder: What to write; replaced if it exists.
        tensors: Tensors by name, moved to the CPU.
        scalars: What `write_json` takes; a format version is added.
        texts: Further files by name.
    """
    with whole_folder(folder) as partial:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_safetensors(partial / TENSORS, plain)
        write_json(partial / SCALARS, {"version": FORMAT_VERSION, **scalars})
        for name, text in (texts or {}).items():
            write_atomically(partial / name, text)


def refuse_other_contents(folder: Path, known: set[str], *, what: str) -> None:
    """Raise a ValueError if there is something in the place of a folder that writing it would destroy.

    Args:
        folder: What is to be written.
        known: Names of files that may be replaced.
        what: What these files are, for the error.
    """
    if folder.exists() and not (folder.is_dir() and {path.name for path in folder.iterdir()} <= known):
        raise ValueError(f"there is something else than {what} in {folder}; choose a new or empty folder")
    if _is_checkpoint(folder):
        raise ValueError(f"{folder} is a checkpoint of a run; choose a new or empty folder")


def _is_checkpoint(folder: Path) -> bool:
    try:
        scalars = read_json(folder / SCALARS)
    except (OSError, ValueError):
        return False
    return isinstance(scalars, dict) and scalars.get("format") == "checkpoint"


def read_scalars(folder: Path) -> dict[str, Any]:
    """Read the scalars of a folder that `write_folder` wrote.

    Raises:
        ValueError: The folder is not one, or is of another version.
    """
    try:
        scalars = read_json(folder / SCALARS)
        version = scalars["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} is not a model or a checkpoint of rmae ({one_line(error)})") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{folder} is of format version {quoted(version)}; this rmae reads version {FORMAT_VERSION}")
    return scalars


def read_tensors(folder: Path, prefix: str = "") -> dict[str, Tensor]:
    """Read the tensors of a folder whose names start with a prefix, by their names without it.

    Raises:
        ValueError: The file is missing, truncated or not in the safetensors format.
    """
    return {name.removeprefix(prefix): tensor for name, tensor in read_safetensors(folder / TENSORS, prefix).items()}


def checkpoints_of(run: Path) -> list[Path]:
    """The checkpoints of a run, the newest last; their names sort by update."""
    found = run.joinpath(CHECKPOINTS).glob("update_*")
    return sorted(path for path in found if re.fullmatch(_CHECKPOINT, path.name) and path.is_dir())


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    return next(reversed(checkpoints_of(run)), None)


def weights_digest(model: nn.Module) -> str:
    """A few letters that are others where any weight is."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


def float32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as files of weights hold them: float32 and on the CPU."""
    return {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in tensors.items()}
