"""Records survive their file, and no other file is taken for one."""

import dataclasses
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmae.bench.machine import describe_machine
from rmae.reproduction.record import (
    ArmRecord,
    BaselineRecord,
    DataRecord,
    Record,
    read_record,
    read_records,
    write_record,
)

SCRATCH = ArmRecord(
    name="scratch",
    label="from scratch",
    flags="",
    parameters=None,
    gmacs=None,
    scores={"segment.miou": (0.31, 0.3, 0.32), "interactive.iou_1": None},
)
RMAE = ArmRecord(
    name="rmae",
    label="R-MAE",
    flags="--num-regions 4",
    parameters=1_234_567,
    gmacs=0.123,
    scores={"segment.miou": (0.4, None, 0.42), "interactive.iou_1": (1, 0.5, 0.25)},
)
RECORD = Record(
    table="a",
    budget="tiny",
    command="rmae reproduce a --budget tiny --seeds 3",
    data=DataRecord(description="cut-outs, 96 x 96 pixels", train=4000, labelled=400, val=200, classes=6),
    seeds=(0, 1, 5),
    tasks={"segment": ("miou",), "interactive": ("iou_1",)},
    arms=(SCRATCH, RMAE),
    baselines=(BaselineRecord(label="GrabCut", scores={"interactive.iou_1": (0.5, None, 0.7)}),),
    commits=("0123456789ab", "ba9876543210+"),
    machine=describe_machine(("torch", "no-such-package")),
    seconds={"pretrain/rmae/seed_0": 171.25, "scenes": 3},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a-tiny.json"
    write_record(RECORD, path)
    return path


@pytest.fixture
def complaint(file: Path) -> Callable[..., str]:
    """Changes the JSON of a file, which must then be refused; returns what is said after the file's name."""

    def change(place: str, value: Any) -> str:
        saved = json.loads(file.read_text())
        *folders, last = place.split("/")
        inner = saved
        for key in folders:
            inner = inner[int(key) if isinstance(inner, list) else key]
        if value is KeyError:
            del inner[last]
        else:
            inner[int(last) if isinstance(inner, list) else last] = value
        return refused(file, json.dumps(saved))

    return change


def refused(file: Path, text: str | bytes) -> str:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(file))} ") as raised:
        read_record(file)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value).removeprefix(f"{file} ")


def test_a_record_survives_its_file(file: Path):
    assert read_record(file) == RECORD
    assert [path.name for path in file.parent.iterdir()] == ["a-tiny.json"]


def test_the_file_is_laid_out_as_agreed(file: Path):
    text = file.read_text()
    saved = json.loads(text)
    names = "format version table budget command data seeds tasks arms baselines machine commits seconds"
    assert list(saved) == names.split()
    assert (saved["format"], saved["version"]) == ("reproduced table", 1)
    assert list(saved["arms"][0]) == ["name", "label", "flags", "parameters", "gmacs", "scores"]
    assert saved["arms"][0]["scores"]["interactive.iou_1"] is None
    assert '\n        "segment.miou": [0.4, null, 0.42],\n' in text
    assert '\n  "seeds": [0, 1, 5],\n' in text
    assert text.endswith("\n}\n")


def test_what_is_too_long_for_a_line_stays_on_many(file: Path):
    scores = {"segment.miou": tuple(0.123456 for _ in range(30))}
    arm = dataclasses.replace(RMAE, scores=scores)
    record = dataclasses.replace(RECORD, seeds=tuple(range(30)), arms=(arm,), baselines=())
    write_record(record, file)
    assert max(map(len, file.read_text().splitlines())) <= 120
    assert read_record(file) == record


def test_not_a_number_becomes_null(file: Path):
    scores = {**RMAE.scores, "segment.miou": (0.4, math.nan, 0.42)}
    write_record(dataclasses.replace(RECORD, arms=(SCRATCH, dataclasses.replace(RMAE, scores=scores))), file)
    assert read_record(file) == RECORD


def test_values_are_those_that_are_defined():
    assert RECORD.values("rmae", "segment.miou") == (0.4, 0.42)
    assert RECORD.values("scratch", "interactive.iou_1") == ()
    assert RECORD.values("scratch", "knn.top1_20") == ()
    assert RECORD.values("mae", "segment.miou") == ()
    assert RECORD.scores == ("segment.miou", "interactive.iou_1")


def test_the_same_record_is_the_same_bytes(file: Path):
    before = file.read_bytes()
    write_record(read_record(file), file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ["", "{", b"\xff", "[" * 100_000, '{"a":' * 100_000, '{"format": NaN}', "9" * 10_000, '"\\ud800"'],
    ids=["empty", "torn", "bytes", "deep-list", "deep-object", "nan", "huge", "surrogate"],
)
def test_what_is_no_json_is_refused(text: str | bytes, file: Path):
    assert refused(file, text).startswith("is not JSON: ")


@pytest.mark.parametrize("text", ["[]", "1", "null", '{"format": "run"}', '{"format": []}'])
def test_files_of_other_kinds_are_refused(text: str, file: Path):
    assert refused(file, text) == (
        "is no reproduced table (its format is not 'reproduced table'); `rmae reproduce` makes them"
    )


@pytest.mark.parametrize(
    ("version", "told"), [(2, "2"), (None, "unknown"), ("1", "unknown"), (True, "unknown"), ({"a\n": 1}, "unknown")]
)
def test_other_versions_are_refused(version: Any, told: str, complaint: Callable[..., str]):
    assert complaint("version", version) == f"is of format version {told}; this rmae reads version 1"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("seeds", KeyError, "seeds: Field required"),
        ("more", 1, "more: Unexpected keyword argument"),
        ("data/train", "4000", "data.train: Input should be a valid integer"),
        ("data/val", -1, "data: val is out of range; it must lie between 0 and 1e+15"),
        ("data/classes", 10**20, "data: classes is out of range; it must lie between 0 and 1e+15"),
        ("data/description", "two\nlines", "data: description is 'two\\nlines'; it must be one line of text"),
        ("table", "../a", "table is '../a'; use up to 60 letters, digits and underscores"),
        ("budget", "", "budget is ''; use up to 60 letters, digits and underscores"),
        ("command", "rm a", "command is 'rm a'; it must begin with 'rmae '"),
        ("command", "rmae a\nrm b", "command is 'rmae a\\nrm b'; it must be one line of text"),
        ("seeds", [], "seeds is empty; there must be at least one"),
        ("seeds", [0, 0, 1], "seeds has one twice; each may be there once"),
        ("seeds/0", True, "seeds.0: Input should be a valid integer"),
        ("seeds", [0, 1], "segment.miou of scratch has 3 value(s) for 2 seed(s)"),
        ("arms", [], "arms is empty; there must be at least one"),
        ("arms/0/name", "rmae", "arms has one twice; each may be there once"),
        ("arms/0/name", "a b", "arms.0: name is 'a b'; use up to 60 letters, digits and underscores"),
        ("arms/1/gmacs", -1, "arms.1: gmacs is -1.0; it must lie between 0 and 1e+12"),
        ("arms/1/parameters", 1.5, "arms.1.parameters: Input should be a valid integer"),
        ("arms/1/scores/segment.miou", 0.5, "arms.1.scores.segment.miou: Input should be a valid array"),
        ("arms/1/scores/segment.miou/0", "1", "arms.1.scores.segment.miou.0: Input should be a valid number"),
        (
            "arms/1/scores/segment.miou/0",
            1e300,
            "arms.1: segment.miou of rmae is 1e+300; it must lie within 1e+06 of 0",
        ),
        ("arms/1/scores/knn.top1_20", [1, 2, 3], "rmae has the score knn.top1_20, which is none of the tasks"),
        ("baselines/0/label", "", "baselines.0: label is ''; it must be one line of text"),
        (
            "baselines/0/scores/interactive.iou_1",
            [0.5],
            "interactive.iou_1 of GrabCut has 1 value(s) for 3 seed(s)",
        ),
        ("commits/0", "a\nb", "a commit is 'a\\nb'; it must be one line of text"),
        ("tasks/segment/0", "a|b", "a score is called 'segment.a|b'; use letters, digits and underscores"),
        ("tasks/segment", "miou", "tasks.segment: Input should be a valid array"),
        ("seconds/scenes", -1, "seconds of scenes is -1.0; it must lie between 0 and 1e+12"),
        ("seconds/scenes", None, "seconds.scenes: Input should be a valid number"),
        ("machine", [], "machine: Input should be an object"),
    ],
)
def test_what_cannot_be_is_refused(place: str, value: Any, told: str, complaint: Callable[..., str]):
    assert complaint(place, value) == f"is not a whole reproduced table: {told}"


def test_infinity_is_refused(file: Path):
    text = file.read_text()
    assert "segment.miou of rmae is inf; it must lie within" in refused(file, text.replace("0.42]", "1e999]"))
    assert refused(file, text.replace("0.42]", "Infinity]")).startswith("is not JSON: ")


def test_long_names_make_no_long_sentence(complaint: Callable[..., str]):
    assert len(complaint("a\n" * 5_000, 1)) < 400


def test_a_record_that_could_not_be_read_again_is_not_made():
    with pytest.raises(ValueError, match=r"^segment.miou of rmae is inf; it must lie within 1e\+06 of 0$"):
        dataclasses.replace(RMAE, scores={"segment.miou": (math.inf,)})


def test_records_of_a_folder_come_by_budget_and_table(tmp_path: Path):
    for table, budget in (("b", "tiny"), ("a", "tiny"), ("c", "small")):
        write_record(dataclasses.replace(RECORD, table=table, budget=budget), tmp_path / f"{table}-{budget}.json")
    (tmp_path / "a-tiny.md").write_text("what we make of it")
    assert [record.name for record in read_records(tmp_path)] == ["c-small", "a-tiny", "b-tiny"]


def test_a_folder_without_records_has_none(tmp_path: Path):
    assert read_records(tmp_path) == ()


def test_a_record_by_another_name_is_refused(file: Path):
    file.rename(file.with_name("mine.json"))
    with pytest.raises(ValueError, match=r"mine.json holds table a on the budget tiny; call it a-tiny.json$"):
        read_records(file.parent)
