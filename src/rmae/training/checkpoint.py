"""Checkpoints: everything a run needs to go on as if it had never stopped."""

import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rmae.config import ModelConfig, RunConfig
from rmae.config_json import config_to_json
from rmae.models.weights import CHECKPOINTS, newest_checkpoint, read_scalars, read_tensors, write_folder

_MOMENTS = ("exp_avg", "exp_avg_sq")


class RunProgress(NamedTuple):
    """How far a run is."""

    update: int = 0
    """Updates done."""
    window_sums: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Sums of the metrics since the last log step."""
    window_updates: int = 0
    """Updates since the last log step."""


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: RunProgress, config: ModelConfig
) -> Path:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: The run's folder of checkpoints.
        model: The plain model.
        optimizer: AdamW over its parameters.
        progress: How far the run is.
        config: The model's.

    Returns:
        The checkpoint's folder.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment in _MOMENTS:
            if moment in optimizer.state[parameter]:
                tensors[f"optimizer.{moment}.{name}"] = optimizer.state[parameter][moment]
    checkpoint = folder / _name(progress.update)
    scalars = {"format": "checkpoint", **progress._asdict(), "model": config_to_json(config)}
    write_folder(checkpoint, tensors, scalars)
    return checkpoint


def _name(update: int) -> str:
    return f"update_{update:09d}"


def read_progress(run: Path) -> RunProgress:
    """How far the newest checkpoint of a run is; the start where there is none yet.

    Raises:
        ValueError: The checkpoint cannot be read.
    """
    checkpoint = newest_checkpoint(run)
    if checkpoint is None:
        return RunProgress()
    scalars = read_scalars(checkpoint)
    return RunProgress(scalars["update"], tuple(scalars["window_sums"]), scalars["window_updates"])


def restore_checkpoint(run: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: RunProgress) -> None:
    """Give a model and its AdamW the state of a run's checkpoint.

    Args:
        run: The run's folder.
        model: The plain model, on its device.
        optimizer: AdamW over its parameters.
        progress: Of `read_progress`, which tells one checkpoint from another: on a shared file system not every machine
            sees the same newest one. Nothing happens at the start of a run.

    Raises:
        ValueError: The checkpoint cannot be read.
    """
    if progress.update == 0:
        return
    checkpoint = run / CHECKPOINTS / _name(progress.update)
    model.load_state_dict(read_tensors(checkpoint, "model."))
    moments = read_tensors(checkpoint, "optimizer.")
    for name, parameter in model.named_parameters():
        if f"exp_avg.{name}" in moments:
            state = {moment: moments[f"{moment}.{name}"].to(parameter) for moment in _MOMENTS}
            optimizer.state[parameter] = {
                "step": torch.tensor(float(progress.update), device=parameter.device),
                **state,
            }


def prune_checkpoints(folder: Path, config: RunConfig) -> None:
    """Delete all but the newest checkpoints and every `keep_every`-th, and what a kill left half-written."""
    for leftover in folder.glob(".update_*"):
        shutil.rmtree(leftover)
    checkpoints = sorted(folder.glob("update_*"))
    for checkpoint in checkpoints[: -config.keep_newest]:
        update = int(checkpoint.name.removeprefix("update_"))
        if config.keep_every is None or update % config.keep_every:
            shutil.rmtree(checkpoint)
