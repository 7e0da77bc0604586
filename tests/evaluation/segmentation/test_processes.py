"""Two processes train as one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rmae import evaluate
from rmae.config import SegmentConfig
from rmae.models.weights import newest_checkpoint, read_tensors

pytestmark = pytest.mark.slow


def test_two_processes_train_as_one(tiny_config: SegmentConfig, ade_root: Path, tmp_path: Path):
    """In float64, where the order of summation does not show; without what each process draws for itself."""
    config = replace(
        tiny_config,
        encoder=replace(tiny_config.encoder, drop_path=0.0, img_size=16),
        head_dropout=0.0,
        evaluate_every=3,
        run=replace(tiny_config.run, precision="float64"),
    )
    alone = evaluate(config, "scratch", data=ade_root, out=tmp_path / "alone")
    both = replace(config, run=replace(config.run, devices=2))
    together = evaluate(both, "scratch", data=ade_root, out=tmp_path / "together")
    assert {name: score.mean for name, score in together.scores.items()} == {
        name: score.mean for name, score in alone.scores.items()
    }
    ours, theirs = (_tensors(evaluation.folder) for evaluation in (together, alone))
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert expected.dtype == torch.float64
        # The bias of the last block is normalised away: its gradient is what rounding leaves of 0.
        size = max(expected.abs().max().item(), 1e-3)
        assert (ours[name] - expected).abs().max() <= 1e-10 * size, name


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = newest_checkpoint(folder)
    assert checkpoint is not None
    return read_tensors(checkpoint, "model.")
