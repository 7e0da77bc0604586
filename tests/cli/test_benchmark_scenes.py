"""`rmae benchmark scenes`: what it prints, the figures as JSON, and wrong flags."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Complaint = Callable[..., str]


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    """Flags that name eight cut-outs of one class, and photographs."""
    generator = np.random.default_rng(0)
    for i in range(8):
        pixels = (20 * i + generator.integers(0, 99, (140, 140, 4))).astype(np.uint8)
        for name in ("things", "photographs"):
            (tmp_path / name / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., :3]).save(tmp_path / "photographs" / "photographs" / f"{i}.png")
        pixels[..., 3] = 255
        pixels[:20, :, 3] = 0
        Image.fromarray(pixels).save(tmp_path / "things" / "things" / f"{i}.png")
    return ["--cut-outs", str(tmp_path / "things"), "--photographs", str(tmp_path / "photographs")]


def test_scenes_are_timed(sources: list[str], done: Callable[..., str], tmp_path: Path):
    file = tmp_path / "scenes.json"
    small = ["--img-size", "48", "--num-scenes", "3", "--repeats", "2"]
    printed = done("benchmark", "scenes", *sources, *small, "--json", file)

    figures = json.loads(file.read_text())
    assert figures["command"].startswith("rmae benchmark scenes --cut-outs ")
    assert (figures["size_hw"], figures["num_scenes"], figures["repeats"]) == ([48, 48], 3, 2)
    assert figures["files"].startswith("cut-outs to train on + to validate on: things ")
    assert figures["machine"]["cores"] >= 1
    times = figures["ms_a_scene"]
    assert 0 < times["compose"] < times["make"]
    assert figures["scenes_a_second"] == pytest.approx(1000 / times["make"])
    rows = [line.split("  ", 1) for line in printed.splitlines()]
    assert [(name, words.strip()) for name, words in rows] == [
        ("scenes", "3 of 48 x 48 pixels, 2 round(s)"),
        ("composed", f"{times['compose']:.2f} ms each"),
        ("composed and written", f"{times['make']:.2f} ms each, {figures['scenes_a_second']:.0f} a second"),
    ]


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--repeats", "0"], 2, "--repeats is 0; it must be at least 1"),
        (["--num-scenes", "0"], 2, "--num-scenes is 0; it must be at least 1"),
        (["--json", "."], 2, "--json is ., which is a folder; name a file"),
        (["--img-size", "8"], 1, "size_hw is (8, 8); give height and width"),
    ],
)
def test_wrong_flags_are_explained(
    flags: list[str], code: int, sentence: str, sources: list[str], complaint: Complaint
):
    assert complaint("benchmark", "scenes", *sources, *flags, code=code).startswith(sentence)
    assert complaint("benchmark", "scenes", *flags, code=2).startswith("Missing from rmae benchmark scenes: ")
