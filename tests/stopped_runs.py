"""Stopping a run in order at a certain batch, and comparing what it comes to with one that was never stopped."""

import os
import signal
from types import ModuleType
from typing import Any

import pytest
import torch

from rmae.data.loader import to_device
from rmae.models.weights.records import read_metrics
from rmae.training.run_folder import RunFolder


def stop_at_batch(patch: pytest.MonkeyPatch, loop: ModuleType, num_batches: int) -> None:
    """Send this process SIGTERM when the loop of a module asks for a certain batch."""
    left = num_batches

    def counted(batches, device):
        nonlocal left
        for batch in to_device(batches, device):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    patch.setattr(loop, "to_device", counted)


def assert_identical(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def losses(folder: RunFolder) -> list[dict[str, Any]]:
    """The metrics of a run but for its speed."""
    return [{k: v for k, v in line.items() if k != "images_per_s"} for line in read_metrics(folder.metrics)]
