"""`rmae evaluate interactive`: what it prints and leaves, with intervals and without."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import rmae

QUICK = [
    "--max-objects", "4", "--max-clicks", "2", "--visible-shares", "0.25", "--num-examples", "1",
    "--num-resamples", "9", "--felzenszwalb-scale", "None", "--grabcut-side", "None", "--accelerator", "cpu",
]  # fmt: skip
Done = Callable[..., str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a tiny model."""
    config = rmae.ModelConfig(
        size="micro", img_size=32, patch_size=8, decoder_embed_dim=32, decoder_depth=1, decoder_num_heads=2,
        region_embed_dim=32, region_encoder_num_heads=2, region_decoder_num_heads=2,
    )  # fmt: skip
    rmae.build_model(config).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def scenes(folder: Path, number: int) -> Path:
    return rmae.make_scenes(folder / "scenes", num_train=1, num_val=number, size_hw=(64, 64))


def scores(printed: str) -> dict[str, str]:
    """What stands beside each score."""
    lines = [line for line in printed.splitlines() if re.match(r"(iou|clicks|failures|visible)_", line)]
    return {name: words.strip() for name, words in (line.split(" ", 1) for line in lines)}


def test_scores_are_printed_with_their_intervals_and_kept(model: Path, done: Done, tmp_path: Path):
    out, file = tmp_path / "out", tmp_path / "scores.json"
    command = ["evaluate", "interactive", model, "--data", scenes(tmp_path, 3), "--out", out, "--json", file]
    found = scores(done(*command, *QUICK))
    assert list(found) == [
        "iou_1", "clicks_80", "clicks_85", "clicks_90", "failures_80", "failures_85", "failures_90", "visible_iou_25",
    ]  # fmt: skip
    assert all(re.fullmatch(r"\S+ \[\d\.\d{4}, \d\.\d{4}\] with 95 % confidence", words) for words in found.values())
    saved = json.loads(file.read_text())
    assert saved["task"] == "interactive"
    assert found["iou_1"].startswith(f"{saved['scores']['iou_1']['mean']:.4f} ")
    assert (out / "report.html").exists()
    assert scores(done(*command, "--resume")) == found


def test_of_one_picture_no_interval_is_printed(model: Path, done: Done, tmp_path: Path):
    data = scenes(tmp_path, 1)
    found = scores(done("evaluate", "interactive", model, "--data", data, "--out", tmp_path / "out", *QUICK))
    assert len(found) == 8
    assert all(re.fullmatch(r"\d\.\d{4}", words) for words in found.values())
