"""Two processes measure what one does, to the last bit."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.encoder import open_encoder
from rmae.evaluation.localisation import run as localisation
from rmae.training.processes import run_on_ranks
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder

pytestmark = pytest.mark.slow


def evaluate(config: LocaliseConfig, root: Path, path: Path, ranks: Ranks) -> dict:
    encoder = open_encoder("scratch", config.encoder, seed=config.run.seed)
    return localisation.evaluate(config, encoder, localisation.open_data(config, root), RunFolder(path), ranks)


def test_two_processes_measure_as_one(tiny: LocaliseConfig, scenes: Path, tmp_path: Path):
    """In batches of two pictures, of which the processes have three and two."""
    config = replace(
        tiny, eval_batch_size=2, against=("scratch",), run=replace(tiny.run, num_threads=1), num_examples=1
    )
    found = []
    for devices in (1, 2):
        path = tmp_path / str(devices)
        path.mkdir()
        run = replace(config.run, devices=devices)
        scores = run_on_ranks(partial(evaluate, replace(config, run=run), scenes, path), run)
        assert (path / "report.html").stat().st_size > 10_000
        found.append((scores, json.loads((path / "localisation.json").read_text())))
    assert found[0] == found[1]
    assert found[0][1]["objects"] > 10


def test_more_processes_than_batches_measure_too(tiny: LocaliseConfig, scenes: Path, tmp_path: Path):
    config = replace(tiny, eval_batch_size=32, run=replace(tiny.run, devices=2, num_threads=1))
    scores = run_on_ranks(partial(evaluate, config, scenes, tmp_path), config.run)
    assert 0 <= scores["attention_auc"].value <= 1
