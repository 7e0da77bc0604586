"""What the small settings are for: something is learned within minutes, on a CPU."""

from dataclasses import replace
from pathlib import Path

import pytest

import rmae
from rmae.evaluation.classification import finetune, linear, presets
from rmae.evaluation.encoder import open_encoder
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc, a square or a triangle in each picture; not to be changed."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    return rmae.make_class_scenes(folder, num_train=600, num_val=150, size_hw=(64, 64))


@pytest.mark.parametrize(("task", "least"), [(finetune, 0.9), (linear, 0.55)])
def test_shapes_are_learned_from_scratch(task, least, shapes, tmp_path):
    config = presets.small_finetune() if task is finetune else presets.small_linear()
    config = replace(
        config,
        encoder=replace(config.encoder, img_size=64, scratch_patch_size=16),
        optimizer=replace(config.optimizer, updates=120),
        reading=replace(config.reading, num_workers=1),
        run=replace(config.run, accelerator="cpu"),
    )
    with open_ranks(config.run) as ranks:
        encoder = open_encoder("scratch", config.encoder, seed=0)
        scores = task.evaluate(config, encoder, task.open_data(config, shapes), RunFolder(tmp_path), ranks)
    assert scores["top1"] >= least


def test_all_changes_together_leave_something_to_learn(shapes, tmp_path):
    """The paper's mixing, erasing and RandAugment, on pictures that are learned in a moment without them."""
    small, paper = presets.small_finetune(), presets.paper_finetune()
    config = replace(
        paper,
        encoder=replace(small.encoder, img_size=64, scratch_patch_size=16, drop_path=0.1),
        crop_scale=small.crop_scale,
        optimizer=replace(small.optimizer, updates=160),
        reading=replace(small.reading, num_workers=1),
        run=replace(small.run, accelerator="cpu"),
    )
    with open_ranks(config.run) as ranks:
        encoder = open_encoder("scratch", config.encoder, seed=0)
        data = finetune.open_data(config, shapes)
        scores = finetune.evaluate(config, encoder, data, RunFolder(tmp_path), ranks)
    assert scores["top1"] >= 0.8
