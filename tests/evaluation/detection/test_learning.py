"""The small preset learns to detect, from nothing."""

import pytest

from rmae.evaluation.detection.presets import small
from rmae.evaluation.detection.run import evaluate, open_data
from rmae.evaluation.encoder import open_encoder
from rmae.scenes import make_scenes
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder


@pytest.mark.slow
def test_the_small_preset_finds_shapes_in_scenes(tmp_path):
    config = small()
    data = open_data(config, make_scenes(tmp_path / "scenes"))
    encoder = open_encoder("scratch", config.encoder, seed=0)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    with open_ranks(config.run) as ranks:
        scores = evaluate(config, encoder, data, folder, ranks)
    assert scores["box_ap50"] > 0.6
    assert scores["mask_ap50"] > 0.6
    assert scores["box_ap"] > 0.3
