"""Files of tensors by name: safetensors, torch's own, and either in several files with an index."""

import argparse
import os
import re
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rmae.files import read_json, whole_file
from rmae.quoting import one_line, quoted

_WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Names that timm and transformers give to their weights, the first one found counts."""
_ZIP = b"PK\x03\x04"
"""How a file of torch begins that is an archive of tensors."""
_LONGEST_NAME = 200
"""Characters in the name of one of several files of weights; file systems take 255 bytes."""
_MOST_USES = 2
"""How often all numbers of a file may be used on average: some models tie weights, and none all of them."""


def read_safetensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Read the tensors of a safetensors file whose names start with a prefix.

    Raises:
        ValueError: The file is missing, truncated or not in the format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {one_line(error)}") from error


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name to a safetensors file.

    Raises:
        OSError: The file cannot be written, because the disk is full say.
    """
    try:
        save_file(dict(tensors), path, metadata={"format": "pt"})
    except SafetensorError as error:
        if code := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error
        raise OSError(f"{path.name} cannot be written: {error}") from error


def read_torch(path: Path) -> Any:
    """Read what `torch.save` wrote, if it is tensors and plain values alone: nothing in it is ever run.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    try:
        # Official training checkpoints keep their arguments beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd objects, which are refused
            _refuse_unpacking(path)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's restricted reader has no common error for malformed files
        raise ValueError(f"{path} cannot be read as a file of weights alone: {_in_words(error)}") from error


def _refuse_unpacking(path: Path) -> None:
    """Raise a ValueError where a file would take far more memory than disk: torch packs nothing, but unpacks all."""
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:  # of torch before 1.6, which has no way to pack
            return
        with zipfile.ZipFile(file) as members:
            unpacked = sum(member.file_size for member in members.infolist())
    if unpacked > (size := path.stat().st_size):
        raise ValueError(
            f"it has {size:,} bytes that unpack to {unpacked:,}; save it with torch.save, without packing it"
        )


def write_torch(path: Path, contents: Any) -> None:
    """Write with `torch.save` a file too large to be held in memory once more, whole or not at all.

    Raises:
        OSError: The file cannot be written, because the disk is full say.
    """
    with whole_file(path) as file:
        try:
            torch.save(contents, file)
        except RuntimeError as error:  # torch complains about where it is in the file after a write that failed
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def _in_words(error: Exception) -> str:
    """Why torch does not read a file; not how it could be made to run what is in it, as torch itself advises."""
    if found := re.search(r"GLOBAL (\S+) was not an allowed|whose module (\S+) is blocked", str(error)):
        return f"it would run {one_line(found[1] or found[2], longest=80)}; save the tensors by name alone"
    lines = [line for line in str(error).splitlines() if line.strip() and "weights_only" not in line]
    return one_line(lines[0]) if lines else "it ends too early"


def tensors_by_name(contents: Any, *, where: Path) -> dict[str, Tensor]:
    """What a file holds, if it is tensors by name, whose numbers are all there.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(contents, Mapping):
        raise ValueError(f"{where} holds a {type(contents).__name__}, not tensors by name")
    for name, tensor in contents.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise ValueError(f"{where} holds a {kind} called {quoted(name)}, not tensors by name alone")
        if (odd := _oddity(tensor)) is not None:
            raise ValueError(f"{where} holds {quoted(name)} {odd}; save plain tensors, each with all of its numbers")
    _refuse_repetition(contents.values(), where)
    return dict(contents)


def _oddity(tensor: Tensor) -> str | None:
    """How a tensor is anything else than plain numbers in memory; None if it is not.

    A file of a kilobyte may hold a tensor of any shape, all of whose places are one number: whatever is then made of
    this shape takes the memory that the file did not.
    """
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "as a sparse or nested tensor"
    if tensor.is_quantized:
        return "as a quantised tensor"
    if tensor.device.type != "cpu":
        return f"as a tensor without numbers (device {tensor.device.type!r})"
    if tensor.untyped_storage().nbytes() < _num_bytes(tensor):
        return f"of shape {quoted(tuple(tensor.shape))}, but fewer numbers than that"
    return None


def _refuse_repetition(tensors: Collection[Tensor], where: Path) -> None:
    """Raise a ValueError where tensors would take far more memory apart than they do as they share it."""
    held = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    wanted = sum(map(_num_bytes, tensors))
    if wanted > _MOST_USES * sum(held.values()):
        raise ValueError(
            f"{where} holds {sum(held.values()):,} bytes of numbers, of which it makes tensors of {wanted:,} bytes; "
            "save each tensor with numbers of its own"
        )


def _num_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


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
    raise ValueError(f"{folder} holds no weights: {' and '.join(_WHOLE)} are missing")


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    return tensors_by_name(read_torch(path), where=path)


def _shards(index: Path) -> list[str]:
    """Names of the files beside an index that hold its tensors."""
    try:
        shards = sorted(set(read_json(index)["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} does not tell which file holds which weights ({one_line(error)})") from error
    if outside := [shard for shard in shards if not _is_name(shard)]:
        raise ValueError(f"{index} names {quoted(outside[0])}, which is not a file beside it")
    return shards


def _is_name(shard: object) -> bool:
    """Whether this may be the name of a file in the same folder."""
    return isinstance(shard, str) and Path(shard).name == shard and shard.isprintable() and len(shard) <= _LONGEST_NAME
