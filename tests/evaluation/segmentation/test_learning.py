"""From random weights to a useful network, on a CPU."""

from pathlib import Path

import pytest

import rmae
from rmae.evaluation.segmentation.presets import small


@pytest.mark.slow
def test_the_small_preset_learns_scenes_from_scratch(tmp_path: Path):
    rmae.make_scenes(tmp_path / "scenes", num_train=400, num_val=100)
    evaluation = rmae.evaluate(small(), "scratch", data=tmp_path / "scenes", out=tmp_path / "run")
    assert evaluation.scores["miou"].mean >= 0.8
    assert (evaluation.folder / "report.html").stat().st_size > 100_000
