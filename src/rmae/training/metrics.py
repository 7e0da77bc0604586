"""Metrics of a run: a JSON line and TensorBoard scalars at every log step."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rmae.files import naming, write_atomically
from rmae.models.weights.records import read_metrics
from rmae.training.run_folder import RunFolder


class Metrics(NamedTuple):
    """One log step; losses and the gradient's norm are means over the updates since the last one."""

    update: int
    """Updates done."""
    epoch: float
    """Samples seen over samples in an epoch."""
    losses: Mapping[str, float | None]
    """By name, the total first; None where this run has no such loss."""
    grad_norm: float
    """Before clipping."""
    lr: float
    images_per_s: float
    skipped: int
    """Images that could not be read so far."""

    def line(self) -> dict[str, float | None]:
        """As a line of `metrics.jsonl` has it."""
        return {
            "update": self.update,
            "epoch": self.epoch,
            **self.losses,
            "grad_norm": self.grad_norm,
            "lr": self.lr,
            "images_per_s": self.images_per_s,
            "skipped": self.skipped,
        }


class MetricWindow:
    """Sums of the metrics since the last log step; they stay on the device until they are read.

    Args:
        device: Where the metrics are.
        sums: The losses and the norm of the gradient, summed before a run was stopped; zeros at a start.
        num_updates: Updates in these sums.
    """

    def __init__(self, device: torch.device, sums: Sequence[float], num_updates: int) -> None:
        self._sums = torch.tensor(sums, device=device)
        self._num_updates = num_updates
        self._restart_clock()

    def add(self, values: Tensor) -> None:
        """Add one update: the losses and the norm of the gradient, as many as there are sums, float32."""
        self._sums += values
        self._num_updates += 1
        self._updates_timed += 1

    def state(self) -> tuple[tuple[float, ...], int]:
        """The sums and the number of updates in them, to be saved; waits for the device."""
        return tuple(self._sums.tolist()), self._num_updates

    def means(self) -> tuple[float, ...]:
        """Mean of each metric over the window; waits for the device."""
        return tuple((self._sums / self._num_updates).tolist())

    def updates_per_s(self) -> float:
        """Speed since the last log step; ask after `means`, which waits for the device."""
        return self._updates_timed / (time.perf_counter() - self._clock)

    def leave_out(self, seconds: float) -> None:
        """Do not count a time in which nothing was trained."""
        self._clock += seconds

    def restart(self) -> None:
        """Begin the next window."""
        self._sums.zero_()
        self._num_updates = 0
        self._restart_clock()

    def _restart_clock(self) -> None:
        self._updates_timed = 0
        self._clock = time.perf_counter()


class MetricLog:
    """Appends log steps to a run's `metrics.jsonl` and `tensorboard/`.

    Args:
        folder: The run's.
        update: Updates done before this start; lines beyond it, from before a kill, are dropped.
        writes: Whether to write anything; False on all processes but the first.
    """

    def __init__(self, folder: RunFolder, update: int, *, writes: bool = True) -> None:
        self._writes = writes
        if not writes:
            return
        from rmae.training.event_file import EventFile  # only where it is needed: it takes a moment to import

        kept = [line for line in read_metrics(folder.metrics) if (line["update"] or 0) <= update]
        write_atomically(folder.metrics, "".join(json.dumps(line) + "\n" for line in kept))
        self._path = folder.metrics
        self._board = EventFile(folder.tensorboard, first_step=update + 1)

    def add(self, line: Mapping[str, float | None]) -> None:
        """Write one line, with what happened at its `update`.

        Raises:
            OSError: It cannot be written.
        """
        if not self._writes:
            return
        with naming(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(line)) + "\n")
        scalars = {name: value for name, value in line.items() if value is not None and name != "update"}
        self._board.add(int(line["update"] or 0), scalars)
