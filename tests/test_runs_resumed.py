"""Runs that go on, and reports that are written again."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmae.config import PretrainConfig
from rmae.runs import pretrain, report
from rmae.training.run_folder import read_run


def longer(config: PretrainConfig, updates: int) -> PretrainConfig:
    return replace(config, optimizer=replace(config.optimizer, updates=updates))


def without_store(config: PretrainConfig) -> PretrainConfig:
    """A run's configuration as it was before the run named its store of regions."""
    return replace(config, data=replace(config.data, region_store=None))


def logged(run: Path, what: str) -> list[Any]:
    return [json.loads(line)[what] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def made_run(tiny_config: PretrainConfig, lasting_photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tiny_config, data=lasting_photo_folder, out=tmp_path_factory.mktemp("made") / "run")


@pytest.fixture
def finished_run(made_run: Path, tmp_path: Path) -> Path:
    """A run of its own for each test, copied from one that was trained once."""
    return Path(shutil.copytree(made_run, tmp_path / "run"))


def test_resumed_run_is_the_same_as_one_that_was_not_stopped(
    tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    whole = pretrain(tiny_config, data=photo_folder, out=tmp_path / "whole")
    killed = pretrain(tiny_config, data=photo_folder, out=tmp_path / "killed")
    last = Path("checkpoints") / "update_000000004"
    shutil.rmtree(killed / last)

    pretrain(tiny_config, out=killed, resume=True)

    assert (killed / last / "model.safetensors").read_bytes() == (whole / last / "model.safetensors").read_bytes()
    assert logged(killed, "loss") == logged(whole, "loss")


def test_run_can_be_made_longer(tiny_config: PretrainConfig, finished_run: Path):
    pretrain(longer(tiny_config, 6), out=finished_run, resume=True)

    assert logged(finished_run, "update") == [1, 2, 3, 4, 5, 6]
    assert read_run(finished_run).config().optimizer.updates == 6


def test_finished_run_can_be_resumed_without_harm(tiny_config: PretrainConfig, finished_run: Path):
    before = (finished_run / "metrics.jsonl").read_bytes()

    assert pretrain(tiny_config, out=finished_run, resume=True) == finished_run

    assert (finished_run / "metrics.jsonl").read_bytes() == before


def test_number_of_workers_may_change(tiny_config: PretrainConfig, finished_run: Path):
    changed = longer(replace(tiny_config, data=replace(tiny_config.data, num_workers=1)), 5)

    pretrain(changed, out=finished_run, resume=True)

    assert without_store(read_run(finished_run).config()) == changed
    assert len(logged(finished_run, "loss")) == 5


@pytest.mark.parametrize(
    ("part", "knob", "was", "wanted"),
    [
        ("model", "depth", "1", 2),
        ("model", "region_mask_ratio", "None", 0.5),
        ("model", "num_regions", "3", 4),
        ("model", "region_variant", "length", "batch"),
        ("model", "feeding", "pixel_to_region", "none"),
        ("model", "masking", "uniform", "region_biased"),
        ("model", "shared_mask", "True", False),
        ("loss", "balance_area", "False", True),
        ("optimizer", "batch_size", "4", 2),
        ("run", "seed", "0", 1),
    ],
)
def test_what_would_change_the_run_cannot_be_set_anew(
    part: str, knob: str, was: str, wanted: Any, tiny_config: PretrainConfig, finished_run: Path
):
    changed = replace(tiny_config, **{part: replace(getattr(tiny_config, part), **{knob: wanted})})

    with pytest.raises(
        ValueError, match=re.escape(f"has {part}.{knob} {was}, not {wanted}; a resumed run cannot change it")
    ):
        pretrain(changed, out=finished_run, resume=True)
    assert without_store(read_run(finished_run).config()) == tiny_config


def test_resuming_needs_a_run(tiny_config: PretrainConfig, tmp_path: Path):
    with pytest.raises(ValueError, match=re.escape("there is no run to go on with; name its folder")):
        pretrain(tiny_config, resume=True)
    with pytest.raises(ValueError, match=re.escape(f"there is no run in {tmp_path}: config.json is missing")):
        pretrain(tiny_config, out=tmp_path, resume=True)


def test_folder_of_a_run_is_not_overwritten(tiny_config: PretrainConfig, photo_folder: Path, finished_run: Path):
    before = (finished_run / "metrics.jsonl").read_bytes()

    with pytest.raises(ValueError, match=re.escape(f"the run folder {finished_run} is not empty")):
        pretrain(tiny_config, data=photo_folder, out=finished_run)
    assert (finished_run / "metrics.jsonl").read_bytes() == before


# The report again


def test_report_written_again_is_the_same(finished_run: Path):
    page = finished_run / "report.html"
    first = page.read_bytes()
    page.write_text("old")

    assert report(finished_run) == page
    assert page.read_bytes() == first


def test_report_finds_images_that_were_moved(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    finished_run = pretrain(tiny_config, data=photo_folder, out=tmp_path / "run")
    moved = photo_folder.rename(photo_folder.with_name("moved"))

    with pytest.raises(ValueError, match=re.escape(f"the data folder {photo_folder} does not exist")):
        report(finished_run)
    assert str(moved) in report(str(finished_run), data=str(moved)).read_text()


def test_report_needs_a_run(tmp_path: Path):
    with pytest.raises(ValueError, match=re.escape(f"there is no run in {tmp_path}")):
        report(tmp_path)
