"""The loop as a whole, on pictures of boxes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer

from rmae.config import SegmentConfig
from rmae.evaluation.encoder import Encoder
from rmae.evaluation.segmentation import run as loop
from rmae.evaluation.segmentation.scores import SegmentScores
from rmae.interruption import TrainingStopped
from rmae.models.weights import newest_checkpoint, read_tensors
from rmae.models.weights.records import read_metrics
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder
from stopped_runs import assert_identical, losses, stop_at_batch

Run = Callable[..., tuple[RunFolder, SegmentScores]]
MEAN, STD = (0.4, 0.4, 0.4), (0.2, 0.2, 0.2)


def encoder() -> Encoder:
    """A Vision Transformer of always the same weights, small enough to train in a moment."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vit = VisionTransformer(img_size=16, patch_size=8, embed_dim=16, depth=4, num_heads=2, num_classes=0)
    return Encoder(vit, MEAN, STD, "tiny")


@pytest.fixture
def run(ade_root: Path, tmp_path: Path) -> Run:
    """Train and score a configuration in a folder of the test, without a report; returns the folder and the scores."""

    def trained(config: SegmentConfig, name: str = "run", *, root: Path = ade_root) -> tuple[RunFolder, SegmentScores]:
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir(exist_ok=True)
        with open_ranks(config.run) as ranks:
            return folder, loop.train(config, encoder(), loop.open_data(config, root), folder, ranks)[0]

    return trained


def change(config: SegmentConfig, **parts: dict[str, Any]) -> SegmentConfig:
    return replace(config, **{name: replace(getattr(config, name), **knobs) for name, knobs in parts.items()})


def state(folder: RunFolder) -> dict[str, torch.Tensor]:
    """All tensors of the newest checkpoint: model, running statistics and optimiser."""
    checkpoint = newest_checkpoint(folder.path)
    assert checkpoint is not None
    return read_tensors(checkpoint)


def evaluate(config: SegmentConfig, root: Path, path: Path) -> tuple[RunFolder, dict[str, float]]:
    """As `run`, with the report."""
    folder = RunFolder(path)
    folder.path.mkdir()
    with open_ranks(config.run) as ranks:
        return folder, loop.evaluate(config, encoder(), loop.open_data(config, root), folder, ranks)


def test_a_run_leaves_scores_metrics_a_checkpoint_and_a_report(
    tiny_config: SegmentConfig, ade_root: Path, tmp_path: Path
):
    (ade_root / "classes.txt").write_text("around\nred\nblue\nunicorn\n")
    (ade_root / "images/training/3.png").write_bytes(b"no picture")
    config = change(replace(tiny_config, evaluate_every=2), reading={"max_bad_share": 0.2})
    folder, scores = evaluate(config, ade_root, tmp_path / "run")
    assert list(scores) == ["miou", "pixel_accuracy", "mean_accuracy"]
    assert all(0 <= value <= 1 for value in scores.values())
    lines = read_metrics(folder.metrics)
    assert [line["update"] for line in lines if "loss" in line] == [2, 4, 6]
    assert [line["update"] for line in lines if "miou" in line] == [2, 4]
    assert {"loss", "head_loss", "auxiliary_loss", "lr", "grad_norm"} <= lines[-1].keys()
    assert lines[-1]["skipped"] == 1
    names = state(folder).keys()
    assert {"model.encoder.cls_token", "model.head.fuse.norm.running_mean"} <= names
    page = folder.report.read_text()
    assert page.count("<article") == 2
    for words in ("Mean IoU", "around", "images/validation/9.png", "data:image/jpeg", "unicorn"):
        assert words in page
    assert "1 picture could not be read in training" in page


@pytest.mark.parametrize("updates", [1, 4])  # between log steps; in the second epoch, after an evaluation
def test_stopping_and_resuming_is_bit_identical(
    tiny_config: SegmentConfig, run: Run, monkeypatch: pytest.MonkeyPatch, updates: int
):
    config = replace(tiny_config, evaluate_every=3)
    whole, scores = run(config, "whole")
    with monkeypatch.context() as patch:
        stop_at_batch(patch, loop, updates)
        with pytest.raises(TrainingStopped, match=f"stopped by SIGTERM after update {updates} of 6"):
            run(config, "stopped")
    resumed, scores_of_resumed = run(config, "stopped")
    assert_identical(state(resumed), state(whole))
    assert scores_of_resumed.headline() == scores.headline()
    assert losses(resumed) == losses(whole)


def test_a_run_that_is_through_is_scored_again(tiny_config: SegmentConfig, run: Run):
    folder, scores = run(tiny_config)
    before = state(folder)
    again, same = run(tiny_config)
    assert same.headline() == scores.headline()
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(again).items())


def test_workers_change_nothing(tiny_config: SegmentConfig, run: Run):
    alone, scores = run(tiny_config, "alone")
    with_workers, same = run(change(tiny_config, reading={"num_workers": 2}), "with_workers")
    assert_identical(state(with_workers), state(alone))
    assert same.headline() == scores.headline()


def test_global_random_generators_are_left_alone(tiny_config: SegmentConfig, run: Run):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    run(replace(tiny_config, evaluate_every=2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "knobs",
    [
        {"head_dropout": 0.5},
        {"auxiliary_weight": 1.0},
        {"scale_range": (1.0, 1.0)},
        {"flip": 0.0},
        {"color_jitter": 0.0},
        {"max_class_share": 0.4},
        {"ignore_label": None},
        {"encoder": {"drop_path": 0.0}},
        {"encoder": {"layer_decay": 0.9}},
        {"optimizer": {"weight_decay": 0.9}},
        {"optimizer": {"accumulate": 2}},
        {"run": {"seed": 1}},
    ],
)
def test_every_knob_that_should_change_the_training_does(
    tiny_config: SegmentConfig, run: Run, ade_root: Path, knobs: dict[str, Any]
):
    (ade_root / "classes.txt").write_text("a\nb\nc\nd\n")
    config = change(tiny_config, optimizer={"updates": 2})
    plain, _ = run(config, "plain")
    parts = {name: value for name, value in knobs.items() if isinstance(value, dict)}
    changed = replace(change(config, **parts), **{k: v for k, v in knobs.items() if k not in parts})
    other, _ = run(changed, "changed")
    assert any(not torch.equal(tensor, state(plain)[name]) for name, tensor in state(other).items())


def test_knobs_of_the_test_change_the_scores_alone(tiny_config: SegmentConfig, run: Run):
    plain, scores = run(tiny_config, "plain")
    larger, others = run(replace(tiny_config, test_short_side=40, test_stride=0.5), "larger")
    assert_identical(state(larger), state(plain))
    assert others.headline() != scores.headline()


def test_both_layouts_train_alike(tiny_config: SegmentConfig, run: Run, coco_root: Path):
    ade, scores = run(tiny_config, "ade")
    coco, same = run(tiny_config, "coco", root=coco_root)
    assert_identical(state(coco), state(ade))
    assert same.headline() == scores.headline()


def test_pictures_that_are_wholly_ignored_are_trained_on(tiny_config: SegmentConfig, run: Run, ade_root: Path):
    for path in (ade_root / "annotations/training").iterdir():
        Image.fromarray(np.zeros_like(np.array(Image.open(path)))).save(path)
    folder, _ = run(tiny_config)
    assert [line["loss"] for line in losses(folder)] == [0, 0, 0]


def test_a_size_that_does_not_fit_the_encoder_is_refused(tiny_config: SegmentConfig, run: Run):
    with pytest.raises(ValueError, match=r"pictures of 20 x 20 pixels cannot be cut into the encoder's patches of 8"):
        run(change(tiny_config, encoder={"img_size": 20}))
    with pytest.raises(ValueError, match="8 samples an epoch, fewer than one batch of 9"):
        run(change(tiny_config, optimizer={"batch_size": 9}))


def test_bf16_and_recomputed_activations_train(tiny_config: SegmentConfig, run: Run):
    folder, _ = run(change(tiny_config, run={"precision": "bf16", "checkpoint_activations": True}))
    assert {tensor.dtype for tensor in state(folder).values()} == {torch.float32}
    assert all(tensor.isfinite().all() for tensor in state(folder).values())
