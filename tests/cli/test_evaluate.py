"""rmae evaluate: what it prints, writes and refuses."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import rmae
from rmae import cli

Complaint = Callable[..., str]
Done = Callable[..., str]
QUICK = [
    "--img-size", "32", "--scratch-patch-size", "16", "--num-workers", "0", "--accelerator", "cpu", "--num-threads",
    "1", "--log-every", "1",
]  # fmt: skip
TRAINED = [*QUICK, "--updates", "2", "--batch-size", "2"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rmae.make_class_scenes(tmp_path_factory.mktemp("data") / "shapes", num_train=6, num_val=3, size_hw=(40, 40))


def test_scores_are_printed_and_written(done: Done, pictures: Path, tmp_path: Path):
    flags = ["--data", pictures, "--out", tmp_path / "out", "--json", tmp_path / "scores.json"]
    printed = done("evaluate", "knn", "scratch", *flags, *QUICK)
    *_, score, last = printed.splitlines()
    assert re.match(r"\w+ +[01]\.\d{4}$", score)
    assert last == f"report: {tmp_path / 'out' / 'report.html'}"
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written == json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["encoder"] == "scratch"
    assert written["config"]["encoder"]["img_size"] == 32


def test_several_seeds_are_told_with_their_spread(done: Done, pictures: Path, tmp_path: Path):
    flags = ["--data", pictures, "--out", tmp_path / "out", "--seeds", "2"]
    printed = done("evaluate", "finetune", "scratch", *flags, *TRAINED)
    assert re.search(r"^top1 +[01]\.\d{4} \+- [01]\.\d{4} over 2 seeds$", printed, re.MULTILINE)


def test_what_is_resumed_keeps_its_settings(done: Done, complaint: Complaint, pictures: Path, tmp_path: Path):
    flags = ["--data", pictures, "--out", tmp_path / "out"]
    done("evaluate", "finetune", "scratch", *flags, *TRAINED, "--label-smoothing", "0.3")
    done("evaluate", "finetune", "scratch", *flags, "--resume")
    saved = json.loads((tmp_path / "out" / "config.json").read_text())
    assert saved["config"]["label_smoothing"] == 0.3
    said = complaint("evaluate", "finetune", "scratch", *flags, "--resume", "--label-smoothing", "0.2", code=1)
    assert "has label_smoothing 0.3, not 0.2; it cannot be changed now" in said


def test_help_names_the_layout_and_the_defaults_of_the_size(capsys):
    for size, side in (("small", "96"), ("paper", "224")):
        with pytest.raises(SystemExit):
            cli.run(["evaluate", "finetune", "--size", size, "--help"])
        said = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
        assert "train/CLASS/ and val/CLASS/" in said
        assert f"(default: {side})" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "'evaluate' is not a command by itself; there are: evaluate knn, evaluate linear"),
        (["segmnt", "scratch"], "there is no command 'evaluate segmnt' (did you mean evaluate segment?)"),
        (["knn", "scratch", "--data", "x", "--size", "papr"], "--size is 'papr' (did you mean paper?)"),
        (["knn", "--data", "x"], "ENCODER"),
        (["knn", "scratch"], "--data"),
        (["knn", "scratch", "--data", "x", "--temperature", "0"], "temperature is 0.0; it must be above 0"),
        (["knn", "scratch", "--data", "x", "--temperatur", "1"], "did you mean --temperature?"),
        (
            ["knn", "scratch", "--data", "x", "--json", "no/folder/f.json"],
            "there is no folder no/folder; make it first",
        ),
    ],
)
def test_wrong_usage_is_one_sentence(complaint: Complaint, arguments, sentence):
    assert sentence in complaint("evaluate", *arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "nowhere"], "the data folder nowhere does not exist"),
        (["--data", ".", "--resume"], "there is no evaluation to go on with; name its folder (--out)"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(complaint: Complaint, arguments, sentence):
    assert sentence in complaint("evaluate", "knn", "scratch", *arguments, code=1)


def test_a_mistake_does_not_take_the_folder(complaint: Complaint, done: Done, pictures: Path, tmp_path: Path):
    flags = ["--data", pictures, "--out", tmp_path / "out", *QUICK]
    assert "there is nothing at mistyped" in complaint("evaluate", "knn", "mistyped", *flags, code=1)
    assert not (tmp_path / "out").exists()
    assert "the nearest to 33 that can: 32 or 48" in complaint(
        "evaluate", "knn", "scratch", *flags, "--img-size", "33", code=1
    )
    done("evaluate", "knn", "scratch", *flags)
