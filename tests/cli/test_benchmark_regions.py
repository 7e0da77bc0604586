"""`rmae benchmark regions`: the table, the figures as JSON, and wrong flags."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae import cli

QUICK = ["--num-images", "1", "--size", "48", "64", "--repeats", "1"]
Complaint = Callable[..., str]


@pytest.fixture
def measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[dict, dict[str, str]]]:
    """Runs the benchmark on a small picture; returns its JSON and the rows that it printed."""

    def run(*flags: str | Path) -> tuple[dict, dict[str, str]]:
        file = tmp_path / "regions.json"
        assert cli.run(["benchmark", "regions", *QUICK, *map(str, flags), "--json", str(file)]) == 0
        rows = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()]
        assert all(len(row) == 2 for row in rows)
        return json.loads(file.read_text()), {name: figure for name, figure in rows}

    return run


def test_one_photograph_is_measured_beside_others(measure):
    figures, rows = measure()

    assert figures["command"].startswith("rmae benchmark regions --num-images 1 --size 48 64")
    assert (figures["num_photographs"], figures["size_hw"], figures["labels_equal"]) == (1, [48, 64], 1)
    [photograph] = figures["photographs"].values()
    assert photograph["labels_equal"] is True
    assert (figures["ms"], figures["ms_three_scales"], figures["ms_skimage"], figures["ms_opencv"]) == (
        photograph["one scale"], photograph["three scales"], photograph["scikit-image"], photograph.get("opencv"),
    )  # fmt: skip
    assert min(figures["ms"], figures["ms_three_scales"], figures["ms_skimage"]) > 0
    assert figures["ratio_to_skimage"] == pytest.approx(figures["ms_skimage"] / figures["ms"])
    assert figures["three_scales_over_one"] == pytest.approx(figures["ms_three_scales"] / figures["ms"])
    assert figures["slowest_over_median"] == 1
    assert figures["core_hours"]["coco"] == {
        "ours": pytest.approx(118_287 * figures["ms_three_scales"] / 3.6e6),
        "skimage": pytest.approx(3 * 118_287 * figures["ms_skimage"] / 3.6e6),
    }
    assert figures["core_hours"]["imagenet"] == {
        "ours": pytest.approx(1_281_167 * figures["ms"] / 3.6e6),
        "skimage": pytest.approx(1_281_167 * figures["ms_skimage"] / 3.6e6),
    }
    assert figures["store"].keys() == {
        "bytes_per_image", "ms_read_and_draw", "bytes_per_image_of_100_masks", "ms_read_and_draw_of_100_masks",
    }  # fmt: skip
    assert min(figures["store"].values()) > 0
    assert {"processor", "packages", "commit"} <= figures["machine"].keys()

    assert rows["photographs"] == "1 at 64 x 48, one thread"
    assert rows["one scale"] == f"{figures['ms']:.1f} ms"
    assert rows["three scales"].endswith(f" ms, {figures['three_scales_over_one']:.2f} times one")
    assert rows["same labels as scikit-image"] == "100% of the photographs"
    assert rows["stored, three scales"] == f"{figures['store']['bytes_per_image'] / 1e3:.1f} kB an image"


def test_a_folder_of_ones_own_is_measured(measure, photo_folder: Path):
    figures, _ = measure("--data", photo_folder)
    assert figures["photographs"].keys() == {"0.png"}
    assert figures["labels_equal"] == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--num-images", "0"], "--num-images is 0; it must be at least 1"),
        (["--repeats", "0"], "--repeats is 0; it must be at least 1"),
        (["--size", "48", "1"], "--size is 1; it must be at least 2"),
        (["--json", "."], "--json is ., which is a folder; name a file"),
    ],
)
def test_wrong_flags_are_explained(flags: list[str], sentence: str, complaint: Complaint):
    assert complaint("benchmark", "regions", *flags, code=2) == sentence


def test_a_folder_that_is_not_there_is_refused(complaint: Complaint, tmp_path: Path):
    nowhere = tmp_path / "nowhere"
    assert complaint("benchmark", "regions", "--data", nowhere, code=1) == f"the data folder {nowhere} does not exist"
