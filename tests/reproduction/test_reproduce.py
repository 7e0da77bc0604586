"""Whole tables, with everything in them made small: what they leave, and that they leave it again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from rmae.cli import run
from rmae.reproduction.budgets import BUDGETS, Budget, BudgetName, SceneNumbers
from rmae.reproduction.plan import CutOutFolders
from rmae.reproduction.record import ArmRecord, DataRecord, Record, read_record, write_record
from rmae.reproduction.reproduce import reproduce, reproduce_commands
from rmae.reproduction.tables import Letter

FEW = SceneNumbers(side=96, train=24, labelled=8, val=6, classified=24, classified_val=6)  # 20 neighbours
LEAST = {"updates": 2, "batch_size": 4, "log_every": 1}


@pytest.fixture(scope="module")
def least_of_everything() -> Iterator[None]:
    """The budget tiny with few pictures and updates."""
    tiny = BUDGETS["tiny"]
    tasks = {
        task: {**flags, **LEAST} if task in ("segment", "detect", "linear") else flags
        for task, flags in tiny.tasks.items()
    }
    least = replace(
        tiny, scenes=FEW, epochs=0.5, tasks=tasks, pretrain={**tiny.pretrain, "batch_size": 4, "log_every": 1}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast("dict[str, Budget]", BUDGETS), "tiny", least)
        yield


@pytest.fixture(scope="module")
def record(least_of_everything: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table a with everything in it."""
    return reproduce("a", out=tmp_path_factory.mktemp("reproduce"), also=("detect", "linear"))


@pytest.mark.slow
def test_a_table_leaves_scores_of_every_encoder_and_a_page(record: Path) -> None:
    saved = read_record(record)
    assert saved.command == "rmae reproduce a --budget tiny --seeds 1 --with detect,linear"
    assert saved.data.description.startswith("drawn: disc, square, triangle; 96 x 96 pixels; ")
    assert [arm.name for arm in saved.arms] == ["scratch", "mae", "rae", "rmae"]
    for arm in saved.arms:
        assert len(arm.scores) == 10
        assert not any(None in values for values in arm.scores.values() if values is not None)
        for score, values in arm.scores.items():
            has_branch = arm.name in ("rae", "rmae")
            assert (values is None) == (score.startswith("interactive") and not has_branch), (arm.name, score)
    assert [baseline.label for baseline in saved.baselines] == [
        "nearness alone",
        "Felzenszwalb regions",
        "GrabCut",
        "the nearest pixel",
    ]
    assert [arm.parameters for arm in saved.arms] == [None, 1_127_152, 1_009_616, 1_287_872]
    assert [arm.gmacs for arm in saved.arms[1:]] == pytest.approx([0.0310, 0.0304, 0.0468], abs=1e-4)
    page = record.with_name("results.md").read_text()
    assert all(words in page for words in ("Does it help?", "R-MAE is above MAE"))
    assert (record.parent / "assets" / "results" / "a-tiny.svg").is_file()


@pytest.mark.slow
def test_what_was_deleted_is_made_again_in_another_folder_with_the_same_scores(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(record.parents[1], out)
    shutil.rmtree(out / "results")
    of_an_arm = [path for path in (out / "tiny").rglob("rmae") if path.is_dir()]
    assert {path.parent.name for path in of_an_arm} == {"pretrain", *read_record(record).tasks}
    for path in of_an_arm:
        shutil.rmtree(path)
    first, again = (
        json.loads(path.read_text()) for path in (record, reproduce("a", out=out, jobs=1, also=("linear",)))
    )
    assert (out / "tiny" / "pretrain" / "rmae" / "seed_0" / "report.html").exists()
    assert first.pop("seconds").keys() > again.pop("seconds").keys()
    assert first.pop("command") == again.pop("command").replace("linear", "detect,linear")
    assert set(first.pop("commits")) <= set(again.pop("commits"))  # somebody may commit while this runs
    del first["tasks"]["detect"]
    for arm in first["arms"]:
        del arm["scores"]["detect.box_ap"], arm["scores"]["detect.mask_ap"]
    assert first == again


@pytest.mark.slow
def test_what_is_done_is_not_done_again(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = record.read_bytes()
    words = ["reproduce", "a", "--with", "detect,linear", "--out", str(record.parents[1])]
    assert run(words) == 0
    assert "29 of 29 pieces are done already" in capsys.readouterr().out
    assert record.read_bytes() == before
    assert run([*words, "--seeds", "2", "--stop-after", "0.02"]) == 3
    assert "stopped after 1 s as asked; 29 of 54 pieces are done" in capsys.readouterr().err
    assert record.read_bytes() == before


def test_the_budget_paper_is_printed_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "e", "--budget", "paper", "--out", str(tmp_path / "out"), "--seeds", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    source = "--source 'felzenszwalb --scales 500 1000 1500' --subsets train2017 val2017"
    assert f"rmae regions make coco regions/fh.regions {source}" in lines
    assert sum(line.startswith("rmae pretrain rmae-coco-vit-b-fh") for line in lines) == 8
    assert sum("--feeding none" in line for line in lines) == 2
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="print its commands"):
        reproduce("e", budget="paper", out=tmp_path)
    with pytest.raises(ValueError, match=r"the budget paper is for data sets that you have, .*; leave out cut-outs"):
        list(reproduce_commands("e", cut_outs=CutOutFolders(tmp_path, tmp_path)))


def test_a_dry_run_prints_all_commands_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["reproduce", "a", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rmae scenes scenes --num-train 4000 --num-val 200 --img-size 96"
    assert len(lines) == 21
    assert not list(tmp_path.iterdir())


def test_what_no_page_can_be_written_about_is_told_before_the_work(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(ValueError, match=r"other\.json is no reproduced table"):
        reproduce("a", out=tmp_path / "out", results=tmp_path)
    with pytest.raises(ValueError, match=r"other\.json is a file; choose a folder for records and page"):
        reproduce("a", out=tmp_path / "out", results=other)
    assert not (tmp_path / "out").exists()


def test_a_record_that_says_more_is_not_replaced(tmp_path: Path) -> None:
    arm = ArmRecord(name="mae", label="MAE", flags="", parameters=1, gmacs=1.0, scores={"detect.box_ap": (0.1, 0.2)})
    fuller = Record(
        table="a",
        budget="tiny",
        command="rmae reproduce a --seeds 2 --with detect",
        data=DataRecord(description="drawn", train=1, labelled=1, val=1, classes=1),
        seeds=(0, 1),
        tasks={"detect": ("box_ap",)},
        arms=(arm,),
        machine={},
        commits=(),
        seconds={},
    )
    write_record(fuller, tmp_path / "a-tiny.json")
    for seeds, also in ((1, ("detect",)), (2, ())):
        with pytest.raises(ValueError, match=r"a-tiny\.json has 2 seed\(s\) and the tasks detect, which is more than"):
            reproduce("a", out=tmp_path / "out", results=tmp_path, seeds=seeds, also=also)
    shapes = CutOutFolders(tmp_path, tmp_path, ("animals", "food"))
    with pytest.raises(ValueError, match=r"a-tiny\.json is of drawn scenes, not of cut-outs \(animals, food\); choose"):
        reproduce("a", out=tmp_path / "out", results=tmp_path, seeds=2, also=("detect",), cut_outs=shapes)
    words = ["rmae", "reproduce", "a", "--cut-outs", "c", "--photographs", "p"]
    for classes, told in ((("--classes", "animals"), "animals"), ((), "all classes")):
        write_record(replace(fuller, command=" ".join([*words, *classes])), tmp_path / "a-tiny.json")
        with pytest.raises(ValueError, match=rf"is of cut-outs \({told}\), not of drawn scenes; choose another"):
            reproduce("a", out=tmp_path / "out", results=tmp_path, seeds=2, also=("detect",))
    assert not (tmp_path / "out").exists()


def test_tables_and_budgets_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no table 'z'; there are a, b, "):
        reproduce(cast("Letter", "z"), out=tmp_path)
    with pytest.raises(ValueError, match="there is no budget 'large'; there are tiny, small, paper"):
        reproduce("a", budget=cast("BudgetName", "large"), out=tmp_path)


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
    assert sentence in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
