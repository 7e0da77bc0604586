"""`rmae benchmark data`: the table, the figures as JSON, and wrong flags."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae import cli
from rmae.cli.benchmark_data import _up_to

QUICK = ["--img-size", "32", "--num-regions", "2", "--batch-size", "4", "--repeats", "1", "--seconds", "0.01"]
GRID = ["--regions", "grid --rows 2 --columns 2"]
Complaint = Callable[..., str]


@pytest.fixture
def measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[dict, str]]:
    """Runs the benchmark on small samples; returns its JSON and its table."""

    def run(*flags: str, data: Path | None = None) -> tuple[dict, str]:
        file = tmp_path / "data.json"
        operands = [] if data is None else [str(data)]
        assert cli.run(["benchmark", "data", *operands, *QUICK, *GRID, *flags, "--json", str(file)]) == 0
        return json.loads(file.read_text()), capsys.readouterr().out

    return run


def test_a_folder_is_measured(measure, photo_folder: Path):
    figures, printed = measure("--num-workers", "0", data=photo_folder)

    assert figures["command"].startswith(f"rmae benchmark data {photo_folder} --img-size 32")
    assert (figures["data"], figures["short_side"]) == (str(photo_folder), None)
    assert figures["regions"].startswith("Grid(rows=2, columns=2")
    assert figures["bytes_per_sample"] == 3 * 32 * 32 + 2 * 32 * 4 + 4 * 4
    rows = dict(re.findall(r"^(\S.*?)  +(\S.*)$", printed, re.MULTILINE))
    assert rows["decode"] == f"{figures['stages']['decode']:.3f} ms"
    assert rows["a sample"] == f"{figures['cpu_ms_per_sample']:.3f} ms"
    assert rows["without regions"].endswith(f"with regions {figures['regions_over_none']:.3f} times as much")
    assert rows["Pillow's plain decode"].startswith(f"{figures['pillow_decode_ms']:.3f} ms; a sample ")
    assert rows["to the device"] == "3,344 bytes a sample"
    [rate] = figures["images_per_s"]
    assert rows["0 workers"].startswith(f"{rate['with_regions']:,.0f} images/s")
    assert "for crops of 32 x 32 pixels with 2 regions: 4 from 6 images." in printed


def test_photographs_are_packed_by_default(measure):
    figures, printed = measure("--short-side", "32", "--num-images", "2", "--num-workers", "1")

    assert (figures["data"], figures["short_side"], figures["num_images"]) == (None, 32, 2)
    assert figures["images_per_s"][0].keys() == {"num_workers", "with_regions", "without_regions"}
    assert "\n1 worker " in printed
    assert "packed 2" not in printed


def test_samples_that_cannot_be_used_are_told(measure, photo_folder: Path):
    (photo_folder / "2.png").write_bytes(b"no image")
    figures, printed = measure("--num-workers", "0", "--batch-size", "6", data=photo_folder)

    assert (figures["num_samples"], figures["num_samples_skipped"]) == (5, 1)
    assert "5 from 6 images, and 1 that could not be used." in printed


@pytest.mark.parametrize(
    ("cores", "numbers"), [(1, (0, 1)), (2, (0, 1, 2)), (3, (0, 1, 2)), (4, (0, 1, 2, 4)), (16, (0, 1, 2, 4, 8, 16))]
)
def test_by_default_workers_are_tried_up_to_the_cores(cores: int, numbers: tuple[int, ...]):
    assert _up_to(cores) == numbers


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--batch-size", "0"], "--batch-size is 0; it must be at least 1"),
        (["--num-regions", "0"], "--num-regions is 0; it must be at least 1"),
        (["--num-images", "0"], "--num-images is 0; it must be at least 1"),
        (["--short-side", "0"], "--short-side is 0; it must be at least 1"),
        (["--repeats", "0"], "--repeats is 0; it must be at least 1"),
        (["--seconds", "0"], "--seconds is 0.0; it must be a number above 0"),
        (["--seconds", "nan"], "--seconds is nan; it must be a number above 0"),
        (["--num-workers", "0", "-1"], "--num-workers is -1; it must be at least 0"),
        (["--img-size", "100"], "img_size 100 is not divisible by patch_size 16; the nearest that are: 96 or 112"),
        (
            ["--regions", "none"],
            "--regions is none, but samples with regions are compared with those without; name a s",
        ),
        (["--regions", "grit"], "--regions: there is no source of regions 'grit' (did you mean grid?)"),
        (["--json", "nowhere/data.json"], "--json is nowhere/data.json, but there is no folder nowhere; make it first"),
        (["a", "b"], "there are 2 folders, of which b is the second; give one"),
        (["--img", "3"], "there is no option --img (did you mean --img-size?); see rmae benchmark data --help"),
    ],
)
def test_wrong_flags(flags: list[str], sentence: str, complaint: Complaint):
    assert complaint("benchmark", "data", *flags, code=2).startswith(sentence)


def test_wrong_data(tmp_path: Path, complaint: Complaint):
    nowhere = tmp_path / "nowhere"

    assert complaint("benchmark", "data", nowhere, code=1) == f"the data folder {nowhere} does not exist"
    assert "have no regions inside" in complaint("benchmark", "data", "--regions", "inside", code=1)
