"""Two processes on one machine: the same results as one gives."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import rmae
from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.interactive.run import OBJECTS, RESULTS
from timed_results import without_seconds

pytestmark = pytest.mark.slow


def test_two_processes_give_the_results_of_one(
    quick_config: InteractiveConfig, build_tiny, scenes: Path, tmp_path: Path
):
    build_tiny().save_pretrained(tmp_path / "model")
    config = replace(quick_config, against=(str(tmp_path / "model"),))
    alone = rmae.evaluate(config, tmp_path / "model", data=scenes, out=tmp_path / "alone")
    both = replace(config, run=replace(config.run, devices=2))
    together = rmae.evaluate(both, tmp_path / "model", data=scenes, out=tmp_path / "together")
    assert together.scores == alone.scores
    found, expected = (
        without_seconds(json.loads((evaluation.folder / RESULTS).read_text())) for evaluation in (together, alone)
    )
    assert found == expected

    # What two have begun, one can end.
    lines = (together.folder / OBJECTS).read_text().splitlines(keepends=True)
    (together.folder / OBJECTS).write_text("".join(lines[:3]))
    (together.folder / "results.json").unlink()
    resumed = rmae.evaluate(config, tmp_path / "model", data=scenes, out=together.folder, resume=True)
    assert resumed.scores == alone.scores
    assert len((together.folder / OBJECTS).read_text().splitlines()) == len(lines)
