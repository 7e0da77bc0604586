"""Checkpoints: everything a run needs to go on as if it had never stopped."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rmae.config import RunConfig
from rmae.files import end_replacement
from rmae.models.weights import (
    CHECKPOINTS,
    SCALARS,
    checkpoints_of,
    newest_checkpoint,
    read_scalars,
    read_tensors,
    write_folder,
)
from rmae.quoting import one_line

_DIGITS = 9  # of an update, in the name of its checkpoint: as many as sort rightly


class RunProgress(NamedTuple):
    """How far a run is."""

    update: int = 0
    """Updates done."""
    window_sums: tuple[float, ...] = ()
    """Sums of the metrics since the last log step; nothing = zeros."""
    window_updates: int = 0
    """Updates since the last log step."""


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: RunProgress, kept: Mapping[str, Any]
) -> Path:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: The run's folder of checkpoints.
        model: The plain model.
        optimizer: Over its parameters; its state are tensors of their shapes, and numbers of steps.
        progress: How far the run is.
        kept: What else is to be known of the model, as `json.dumps` takes it.

    Returns:
        The checkpoint's folder.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state[parameter].items() if parameter in optimizer.state else ():
            if moment != "step":
                tensors[f"optimizer.{moment}.{name}"] = value
    checkpoint = folder / _name(progress.update)
    write_folder(checkpoint, tensors, {"format": "checkpoint", **progress._asdict(), **kept})
    return checkpoint


def _name(update: int) -> str:
    return f"update_{update:0{_DIGITS}d}"


def read_progress(run: Path) -> RunProgress:
    """How far the newest checkpoint of a run is; the start where there is none yet.

    To be called by what trains the run alone: it ends what a kill left half done.

    Raises:
        ValueError: The checkpoint cannot be read.
    """
    _end_replacements(run / CHECKPOINTS)
    checkpoint = newest_checkpoint(run)
    if checkpoint is None:
        return RunProgress()
    with _way_out(checkpoint):
        scalars = read_scalars(checkpoint)
    match scalars:
        case {"update": int(update), "window_sums": list(sums), "window_updates": int(updates)} if (
            0 <= update < 10**_DIGITS and updates >= 0 and all(isinstance(each, int | float) for each in sums)
        ):
            return RunProgress(update, tuple(sums), updates)
    with _way_out(checkpoint):
        raise ValueError(f"{checkpoint / SCALARS} does not say how far its run is")


@contextmanager
def _way_out(checkpoint: Path) -> Iterator[None]:
    """Let an error of reading a run's newest checkpoint say what to do; it may also be a file system that is away."""
    try:
        yield
    except ValueError as error:
        before = [path for path in checkpoints_of(checkpoint.parents[1]) if path.name < checkpoint.name]
        there = f"go on from the one before, {before[-1].name}" if before else "begin the run anew"
        raise ValueError(f"{error}; if the checkpoint is damaged, delete it to {there}") from error


def restore_checkpoint(run: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: RunProgress) -> None:
    """Give a model and its optimiser the state of a run's checkpoint.

    Args:
        run: The run's folder.
        model: The plain model, on its device.
        optimizer: Over its parameters, as it was saved.
        progress: Of `read_progress`, which tells one checkpoint from another: on a shared file system not every machine
            sees the same newest one. Nothing happens at the start of a run.

    Raises:
        ValueError: The checkpoint cannot be read, or is of another model.
    """
    if progress.update == 0:
        return
    checkpoint = run / CHECKPOINTS / _name(progress.update)
    try:
        model.load_state_dict(_read(checkpoint, "model."))
    except RuntimeError as error:  # its message goes over several lines
        raise ValueError(
            f"{checkpoint} is of another model than the one that is to go on: {one_line(error)}"
        ) from error
    counts_steps = isinstance(optimizer, torch.optim.AdamW)
    parameters = dict(model.named_parameters())
    for key, tensor in _read(checkpoint, "optimizer.").items():
        moment, _, name = key.partition(".")
        parameter = parameters.get(name)
        if parameter is None or tensor.shape != parameter.shape:
            raise ValueError(f"{checkpoint} holds {one_line(key)} of an optimiser, which the model has no place for")
        state = optimizer.state[parameter]
        state[moment] = tensor.to(parameter)
        if counts_steps:
            state["step"] = torch.tensor(float(progress.update), device=parameter.device)


def _read(checkpoint: Path, prefix: str) -> dict[str, Tensor]:
    with _way_out(checkpoint):
        return read_tensors(checkpoint, prefix)


def prune_checkpoints(run: Path, config: RunConfig) -> None:
    """Delete all but the newest checkpoints and every `keep_every`-th, and what a kill left half-written.

    What cannot be deleted, for somebody protects or reads it, is tried again the next time.
    """
    folder = run / CHECKPOINTS
    _end_replacements(folder)
    for leftover in folder.glob(".update_*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for checkpoint in checkpoints_of(run)[: -config.keep_newest]:
        update = int(checkpoint.name.removeprefix("update_"))
        if config.keep_every is None or update % config.keep_every:
            # A kill in the middle of deleting must not leave half a checkpoint under its name.
            with suppress(OSError):
                shutil.rmtree(checkpoint.rename(folder / f".{checkpoint.name}.old"))


def _end_replacements(folder: Path) -> None:
    for replaced in folder.glob(".update_*.replaced"):
        end_replacement(replaced)
