"""Looking at models from the command line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmae import cli

Complaint = Callable[..., str]
Done = Callable[..., str]
QUICKLY = ["--mask-ratios", "0.75", "--region-ratios", "0.5", "--num-regions", "1", "--num-queries", "1"]


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "visualization.json").read_text())


def test_a_run_on_its_own_pictures(done: Done, finished_run: Path, lasting_photo_folder: Path, tmp_path: Path):
    out = tmp_path / "look"
    said = done("visualize", finished_run, lasting_photo_folder, "--out", out, "--num-images", "2", *QUICKLY)
    assert said == f"page: {out}/index.html\n"
    assert record(out)["pictures"] == ["1.png", "4.png"]
    assert record(out)["regions"] == "felzenszwalb, scales 1000 2000 4000, sigma 0.8"  # those of the run
    page = (out / "index.html").read_text()
    assert "<h1>run</h1>" in page
    assert "2 of the pictures come from the folder that run was trained on" in page
    assert "run borrowed nothing" in page  # as the run says


def test_without_more_words_the_photographs_are_shown_here(
    done: Done, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    done("visualize", finished_run, *QUICKLY)
    assert record(Path("visualization"))["pictures"] == ["chelsea.png", "coffee.png", "rocket.jpg"]


def test_points_sources_and_further_models(done: Done, finished_run: Path, lasting_photo_folder: Path, tmp_path: Path):
    done(
        "visualize", finished_run, lasting_photo_folder / "0.png", "--out", tmp_path / "look", "--against", "scratch",
        finished_run / "checkpoints" / "update_000000002", "--queries", "0.3,0.5", "1,0", "0,1", "--regions",
        "slic --num-segments 4", "--whole-picture", "--normalize-pixels", "True", "--img-size", "64", "32", *QUICKLY,
    )  # fmt: skip
    found = record(tmp_path / "look")
    assert found["config"]["queries"] == [[0.3, 0.5], [1, 0], [0, 1]]
    assert found["config"]["img_size"] == [64, 32]
    assert found["regions"] == "slic, num segments 4, compactness 10, sigma 1"
    assert [row["model"] for row in found["figures"]] == ["run"] * 2 + ["run/update_000000002"] * 2
    page = (tmp_path / "look" / "index.html").read_text()
    assert "<h1>run beside scratch beside run/update_000000002</h1>" in page
    assert "nothing is hidden of the picture" in page
    assert "run and run/update_000000002 predicted only the pattern inside a patch" in page
    assert page.count("<h5>Patch ") == 3


def test_what_is_left_out_is_a_line(done: Done, finished_run: Path, lasting_photo_folder: Path, tmp_path: Path):
    said = done(
        "visualize", finished_run, lasting_photo_folder / "0.png", "none.png", "--out", tmp_path / "a", *QUICKLY
    )
    assert said.splitlines() == ["left out: none.png, the file is missing", f"page: {tmp_path}/a/index.html"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--queries", "0.3"], "--queries: '0.3' is no point; write x,y as shares of the picture, as in 0.3,0.5"),
        (["--queries", "0.3,x"], "--queries: '0.3,x' is no point"),
        (["--queries", "3,0.5"], "queries has (3.0, 0.5); give x and y of each point as shares of the picture"),
        (["--mask-ratios", "75"], "mask_ratios has 75.0; each must lie between 0 and 1, both excluded"),
        (["--regions", "slick"], "--regions: there is no source of regions 'slick' (did you mean slic?)"),
        (["--layers", "3"], "there is no option --layers (did you mean --layer?)"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_read(complaint: Complaint, flags: list[str], sentence: str):
    said = complaint("visualize", "nowhere", *flags, code=2)
    assert said.startswith(sentence)
    assert said.endswith("; see rmae visualize --help")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["./nowhere"], "there is nothing at ./nowhere; give a run, a checkpoint, a folder or file of weights"),
        (["{run}", "none.png"], "none of the pictures can be read; the first, none.png: the file is missing"),
        (["{run}", "empty"], "there is no image in empty"),
        (["{run}", "--out", "full"], "there is something else in {here}/full than an earlier page of rmae visualize"),
        (["{run}", "--layer", "5", "--out", "look"], "run: there is no layer 5; the encoder has 1, from 0 to 0"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    complaint: Complaint, made_run: Path, words: list[str], sentence: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    said = complaint("visualize", *(word.format(run=made_run) for word in words), code=1).splitlines()[-1]
    assert said.startswith(sentence.format(here=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "full"}


def test_the_help_names_what_there_is(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.run(["visualize", "--help"])
    assert not ended.value.code
    said = capsys.readouterr().out
    assert re.search(r"usage: rmae visualize \[-h\] \[OPTIONS\] RUN \[IMAGES \.\.\.\]", said)
    flags = re.findall(r"^\W*(--[a-z][a-z-]+)", said, re.MULTILINE)
    assert flags == [
        "--out", "--against", "--regions", "--num-images", "--img-size", "--mask-ratios", "--region-ratios",
        "--whole-picture", "--num-regions", "--region-area", "--normalize-pixels", "--queries", "--num-queries",
        "--layer", "--max-pixels", "--seed",
    ]  # fmt: skip
