"""rmae results: from a folder of records to a page whose pictures and links lead somewhere."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import pytest

from rmae.reproduction.record import ArmRecord, DataRecord, Record, write_record
from rmae.reproduction.tables import TABLES, Letter


def write(folder: Path, table: str, budget: str, *, seeds: int) -> None:
    arms = tuple(
        ArmRecord(
            name=arm.name,
            label=arm.label,
            flags="",
            parameters=None,
            gmacs=None,
            scores={
                "segment.miou": tuple(0.3 + 0.1 * number + 0.01 * seed for seed in range(seeds)),
                "interactive.clicks_85": (8.0,) * seeds if arm.has_region_branch else None,
            },
        )
        for number, arm in enumerate(TABLES[cast("Letter", table)].arms)
    )
    record = Record(
        table=table,
        budget=budget,
        command=f"rmae reproduce {table} --budget {budget}",
        data=DataRecord(description="invented", train=1, labelled=1, val=1, classes=1),
        seeds=tuple(range(seeds)),
        tasks={"segment": ("miou",), "interactive": ("clicks_85",)},
        arms=arms,
        machine={},
        commits=(),
        seconds={},
    )
    write_record(record, folder / f"{record.name}.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "reproduce" / "results"
    folder.mkdir(parents=True)
    write(folder, "a", "tiny", seeds=3)
    write(folder, "b", "tiny", seeds=1)
    (folder / "a-tiny.md").write_text("What we make of a.")
    (folder / "reading.md").write_text("What we make of all.")
    return folder


def targets(page: Path) -> list[Path]:
    return [page.parent / target for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]


def test_it_writes_a_page_and_its_plots(done: Callable[..., str], folder: Path, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    out = tmp_path / "docs" / "results.md"
    assert done("results", folder, "--out", out) == f"made: {out} (a-tiny, b-tiny)\n"
    plots = tmp_path / "docs" / "assets" / "results"
    assert sorted(path.name for path in plots.iterdir()) == ["a-tiny.svg", "b-tiny.svg"]
    assert {path.resolve() for path in targets(out)} == {
        *plots.iterdir(),
        *(folder / f"{table}-tiny.json" for table in "ab"),
    }
    for plot in plots.iterdir():
        ElementTree.parse(plot)
    text = out.read_text()
    assert "What we make of a." in text
    assert "What we make of all." in text
    assert str(tmp_path) not in text
    assert "| a: RAE is above training from scratch | " in text


def test_without_out_it_writes_into_the_folder(done: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parents[2])
    assert done("results") == "made: runs/reproduce/results/results.md (a-tiny, b-tiny)\n"
    assert (folder / "assets" / "results" / "a-tiny.svg").exists()
    assert "[a-tiny.json](a-tiny.json)" in (folder / "results.md").read_text()


def test_the_same_records_give_the_same_bytes(done: Callable[..., str], folder: Path):
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    done("results", folder)
    before = files()
    done("results", folder)
    assert files() == before


def test_what_cannot_be_done_is_one_line(complaint: Callable[..., str], folder: Path, tmp_path: Path):
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()
    assert complaint("results", missing, code=1) == (
        f"there is no folder {missing}; give the one that `rmae reproduce` leaves its records in"
    )
    assert (
        complaint("results", empty, code=1) == f"there are no records (*.json) in {empty}; `rmae reproduce` makes them"
    )
    assert (
        complaint("results", folder, "--out", tmp_path, code=2)
        == f"--out is {tmp_path}, which is a folder; name a file"
    )
    assert complaint("results", folder, "--ot", "x.md", code=2).startswith(
        "there is no option --ot (did you mean --out?)"
    )
    (folder / "a-tiny.md").write_bytes(b"\xff")
    assert complaint("results", folder, code=1) == f"{folder / 'a-tiny.md'} is not text in UTF-8; save it as that"
    (folder / "more.json").write_text("{}")
    assert complaint("results", folder, code=1).startswith(f"{folder / 'more.json'} is no reproduced table")
    assert not (folder / "results.md").exists()
