"""Whole tables, with everything in them made small: what they leave, and that they leave it again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmae.cli import run
from rmae.reproduction.budgets import BUDGETS, SceneNumbers
from rmae.reproduction.record import read_record
from rmae.reproduction.reproduce import reproduce

MINUTE = SceneNumbers(side=96, train=24, labelled=8, val=6, classified=12, classified_val=6)
LEAST = {"updates": 2, "batch_size": 4, "log_every": 1}


@pytest.fixture
def least_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget tiny with few pictures and updates."""
    tiny = BUDGETS["tiny"]
    tasks = {
        task: {**flags, **LEAST} if task in ("segment", "detect", "linear") else flags
        for task, flags in tiny.tasks.items()
    }
    small = replace(
        tiny, scenes=MINUTE, epochs=0.5, tasks=tasks, pretrain={**tiny.pretrain, "batch_size": 4, "log_every": 1}
    )
    monkeypatch.setitem(BUDGETS, "tiny", small)


def without_times(path: Path) -> dict[str, Any]:
    saved = json.loads(path.read_text())
    assert saved.pop("seconds")
    return saved


@pytest.mark.slow
@pytest.mark.usefixtures("least_of_everything")
def test_a_table_leaves_the_same_record_twice_and_a_page(tmp_path: Path) -> None:
    first = reproduce("a", out=tmp_path / "first", seeds=2, also=("detect", "linear"))
    again = reproduce("a", out=tmp_path / "again", seeds=2, also=("detect", "linear"), jobs=1)
    assert without_times(first) == without_times(again)
    record = read_record(first)
    assert record.command == "rmae reproduce a --budget tiny --seeds 2 --with detect,linear"
    assert [arm.name for arm in record.arms] == ["scratch", "mae", "rae", "rmae"]
    for arm in record.arms:
        for score, values in arm.scores.items():
            has_branch = arm.name in ("rae", "rmae")
            assert (values is None) == (score.startswith("interactive") and not has_branch), (arm.name, score)
            assert values is None or len(values) == 2
    mae, rae, rmae = record.arms[1:]
    assert mae.parameters is not None and rmae.parameters is not None and rae.parameters is not None
    assert mae.parameters < rmae.parameters and rae.parameters < rmae.parameters
    assert mae.gmacs is not None and rmae.gmacs is not None and mae.gmacs < rmae.gmacs
    page = first.with_name("results.md").read_text()
    assert "Does it help?" in page and "R-MAE is above MAE" in page
    assert (first.parent / "assets" / "results" / "a-tiny.svg").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("least_of_everything")
def test_a_second_table_takes_what_the_first_has_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce("h", out=tmp_path)
    capsys.readouterr()
    words = ["reproduce", "i", "--out", str(tmp_path), "--results", str(tmp_path / "both")]
    assert run([*words, "--stop-after", "0.05"]) == 3
    assert "stopped after 3 s as asked" in capsys.readouterr().err
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "pretrain/rmae_quarter/seed_0 done" in said
    assert "pretrain/rmae/seed_0" not in said
    epochs = {
        arm.name: json.loads((tmp_path / "tiny/pretrain" / arm.name / "seed_0/config.json").read_text())["config"]
        for arm in read_record(tmp_path / "both/i-tiny.json").arms
    }
    assert [each["optimizer"]["epochs"] for each in epochs.values()] == [0.125, 0.125, 0.25, 0.25, 0.5, 0.5]


def test_the_budget_paper_is_printed_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "e", "--budget", "paper", "--out", str(tmp_path / "out"), "--seeds", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "rmae regions make coco regions/fh.regions --source 'felzenszwalb --scales 500 1000 1500'" in lines
    assert sum(line.startswith("rmae pretrain rmae-coco-vit-b-fh") for line in lines) == 8
    assert sum("--feeding none" in line for line in lines) == 2
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="print its commands"):
        reproduce("e", budget="paper", out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["z"], "invalid choice 'z'", 2),
        (["a", "--seeds", "0"], "seeds is 0; it must be at least 1", 1),
        (["a", "--with", "detekt"], "--with names 'detekt' (did you mean detect?)", 2),
        (["a", "--with", "finetune"], "there is no task 'finetune' to add; there are segment, ", 1),
        (["a", "--cut-outs", "cats"], "--cut-outs is given without --photographs", 2),
        (["a", "--photographs", "sky"], "--photographs is given without --cut-outs", 2),
        (["a", "--classes", "cats"], "--classes is given without --cut-outs", 2),
        (["a", "--cut-outs", "cats", "--photographs", "sky"], "there is no folder cats", 1),
        (["a", "--stop-after", "0"], "stop_after is 0.0; it must be above 0", 1),
        (["a", "--jobs", "0"], "jobs is 0; run at least 1 piece at a time", 1),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    arguments: list[str],
    sentence: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["reproduce", *arguments]) == code
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1, said
    assert not list(tmp_path.iterdir())
