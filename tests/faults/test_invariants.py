"""The scripts of faults themselves: a promise that is broken is found, named and remembered."""

import argparse
import json
import shutil
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "faults"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_a_violation_is_named_and_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from injection import VIOLATED, inject, require

    flags = argparse.Namespace(json=tmp_path / "a.json", seed=0, stop_after=1.0, workspace=tmp_path)

    def body(record: Any, folder: Path) -> bool:
        record.add([{"kind": "packing"}])
        require(False, "a file is torn")
        return True

    assert inject(flags, "kills", body) == VIOLATED
    assert capsys.readouterr().out == "VIOLATED: a file is torn\n"
    saved = json.loads((tmp_path / "a.json").read_text())
    assert saved["violation"] == "a file is torn"
    assert saved["injections"] == [{"kind": "packing"}]


def test_a_record_tells_what_was_called_and_not_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from injection import Record

    called = ["/some/kills.py", "--kills", "50", "--json", "/some/a.json", "--stop-after", "8", "--seed", "1"]
    monkeypatch.setattr(sys, "argv", called)
    Record(tmp_path / "a.json", "kills", seed=1, stop_after=8).add([])
    told = json.loads((tmp_path / "a.json").read_text())["command"]
    assert told == "python benchmarks/faults/kills.py --kills 50 --seed 1"


@pytest.mark.parametrize(("fault", "seed"), [("kills", 1), ("losses", 0)])
def test_a_record_of_something_else_is_not_gone_on_with(fault: str, seed: int, tmp_path: Path):
    from injection import Record

    Record(tmp_path / "a.json", "kills", seed=0, stop_after=1).add([])
    with pytest.raises(SystemExit, match=r"is of kills, seed 0; take another file"):
        Record(tmp_path / "a.json", fault, seed=seed, stop_after=1)


def test_a_violation_is_not_forgotten(tmp_path: Path):
    from injection import Record

    Record(tmp_path / "a.json", "kills", seed=0, stop_after=1).violate("one is lost")
    with pytest.raises(SystemExit, match=r"holds a violation \(one is lost\); mend it and delete the file"):
        Record(tmp_path / "a.json", "kills", seed=0, stop_after=1)


def looks(growth_mb: float, files: int, step_mb: float = 0) -> list[dict[str, Any]]:
    """A minute of looks at a parent that grows."""
    return [
        {
            "minute": i / 60,
            "update": i,
            "megabytes": {"parent": 200 + growth_mb * i / 60 + step_mb * (i > 30)},
            "open_files": {"parent": 10 + files * i // 60},
        }
        for i in range(60)
    ]


def test_memory_that_grows_is_found():
    from injection import Violation
    from soak import check_flat

    assert check_flat(looks(2, 0), 1)["updates"] == 59
    for growth, step in ((60, 0), (10, 0), (10, 10)):
        with pytest.raises(Violation, match=r"parent grew by \d+\.\d MB in 1 minutes"):
            check_flat(looks(growth, 0, step), 1)
    found = check_flat(looks(0, 0, 10), 1)["growth"]["parent, megabytes"]
    assert found == {"first_third": 200, "last_third": 210, "largest_step": 10}
    with pytest.raises(Violation, match=r"parent grew by 20\.0 MB at once"):
        check_flat(looks(0, 0, 20), 1)
    with pytest.raises(Violation, match=r"parent grew by \d+\.\d open files in 1 minutes"):
        check_flat(looks(0, 20), 1)


@pytest.mark.slow
def test_a_torn_shard_and_a_lost_one_are_found(tmp_path: Path):
    from injection import Violation
    from targets import Packing, draw_pictures

    packing = Packing(draw_pictures(tmp_path / "data", 6, tmp_path), tmp_path)
    whole, out = tmp_path / "undisturbed" / "packed", tmp_path / "out"
    shutil.copytree(whole, out)
    packing.check_end(out)
    assert packing.check_files(out) == {"found": "clearing up", "kept": 1}
    [shard] = out.glob("*.tar")
    content = bytearray(shard.read_bytes())
    content[2000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(Violation, match=r"shard-000000\.tar is not that of the undisturbed call"):
        packing.check_files(out)
    shard.unlink()
    assert packing.check_files(out)["kept"] == 0


@pytest.mark.slow
def test_training_that_is_not_as_it_should_be_is_found(tmp_path: Path):
    from injection import Violation, run
    from targets import Training, draw_pictures

    data = draw_pictures(tmp_path / "data", 20, tmp_path)
    training = Training("training", data, tmp_path, ["--embed-dim", "32", "--updates", "12"], interval=4)
    whole = tmp_path / "whole"
    run(training.command(whole), tmp_path)
    training.check_end(whole)
    assert training.check_files(whole)["kept"] == 12
    lines = (whole / "metrics.jsonl").read_text().splitlines(keepends=True)
    for name, change, sentence in (
        ("begun anew", lambda out: (out / "metrics.jsonl").write_text("".join(lines[:3])), "there is a checkpoint of"),
        ("much is lost", _without_later_checkpoints, "12 updates are lost, with checkpoints every 4"),
        ("torn", _with_a_torn_checkpoint, "update_000000012 is not whole"),
        ("other losses", lambda out: _with_another_loss(out / "metrics.jsonl", lines), r"metrics\.jsonl is not that"),
    ):
        out = tmp_path / name
        shutil.copytree(whole, out)
        change(out)
        with pytest.raises(Violation, match=sentence):
            training.check_files(out)


def _without_later_checkpoints(out: Path) -> None:
    shutil.rmtree(out / "checkpoints")


def _with_a_torn_checkpoint(out: Path) -> None:
    path = max((out / "checkpoints" / "update_000000012").iterdir(), key=lambda file: file.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def _with_another_loss(path: Path, lines: list[str]) -> None:
    line = json.loads(lines[4])
    line["pixel_loss"] *= 1.001
    path.write_text("".join([*lines[:4], json.dumps(line) + "\n", *lines[5:]]))


@pytest.mark.slow
def test_a_store_that_lacks_an_image_is_found(tmp_path: Path):
    from injection import Violation, run
    from targets import Regions, draw_pictures

    regions = Regions(draw_pictures(tmp_path / "data", 6, tmp_path), tmp_path)
    out = tmp_path / "out"
    run(regions.command(out), tmp_path)
    regions.check_end(out)
    kept = regions.check_files(out)["kept"]
    with closing(sqlite3.connect(out / "a.regions")) as store:
        store.execute("DELETE FROM images WHERE rowid IN (SELECT rowid FROM images LIMIT 1)")
        store.commit()
    assert regions.check_files(out)["kept"] == kept - 1
    with pytest.raises(Violation, match="the store differs from the undisturbed one"):
        regions.check_end(out)


def test_a_command_that_says_more_than_a_sentence_is_found(tmp_path: Path):
    from injection import Command, Violation, one_sentence

    for words, sentence in (
        (["-c", "print('fine')"], "ends with code 0 and not 1"),
        (["-c", "raise ValueError('two\\nlines')"], "does not say one sentence"),
    ):
        with Command(words, tmp_path, start=(sys.executable,)) as command:
            assert command.ends_within(60)
        with pytest.raises(Violation, match=sentence):
            one_sentence(command)


# Going on


SCRIPT = """
import json, sys
from pathlib import Path
path = Path(sys.argv[sys.argv.index("--json") + 1])
calls = json.loads(path.read_text())["calls"] + 1 if path.exists() else 1
path.write_text(json.dumps({"calls": calls, "fault": "NAME", "injections": []}))
sys.exit(CODES[min(calls, len(CODES)) - 1])
"""


def test_the_campaign_goes_on_until_all_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import campaign

    for name, codes in (("kills", [75, 75, 0]), ("losses", [0])):
        (tmp_path / f"{name}.py").write_text(SCRIPT.replace("CODES", str(codes)).replace("NAME", name))
    monkeypatch.setattr(campaign, "_FOLDER", tmp_path)
    assert campaign.inject_all(["kills", "losses"], tmp_path, stop_after=0.5) == 75
    assert not (tmp_path / "kills.json").exists()
    assert campaign.inject_all(["kills", "losses"], tmp_path, stop_after=None) == 0
    assert json.loads((tmp_path / "kills.json").read_text())["calls"] == 3
    assert json.loads((tmp_path / "losses.json").read_text())["calls"] == 1


def test_the_campaign_ends_where_a_promise_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import campaign

    for name, codes in (("kills", [1]), ("losses", [0])):
        (tmp_path / f"{name}.py").write_text(SCRIPT.replace("CODES", str(codes)).replace("NAME", name))
    monkeypatch.setattr(campaign, "_FOLDER", tmp_path)
    assert campaign.inject_all(["kills", "losses"], tmp_path, stop_after=None) == 1
    assert not (tmp_path / "losses.json").exists()


def test_the_table_tells_how_often_and_the_worst(tmp_path: Path):
    from campaign import table

    kills = [{"kind": "training", "updates_lost": lost} for lost in (3, 7)]
    soak = {"fault": "soak", "conclusion": {"minutes": 30, "updates": 1234}, "injections": []}
    (tmp_path / "kills.json").write_text(json.dumps({"fault": "kills", "injections": kills}))
    (tmp_path / "soak.json").write_text(json.dumps(soak))
    assert table(tmp_path).splitlines()[2:] == [
        "| SIGKILL | training | 2 | 7 updates lost |",
        "| soak | training | 30 minutes | 1,234 updates |",
    ]


# What is committed


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_recorded_broke_no_promise(path: Path):
    saved = json.loads(path.read_text())
    assert saved["fault"] == path.stem
    assert saved["violation"] is None
    assert saved["command"].startswith(f"python benchmarks/faults/{path.name.removesuffix('.json')}.py")
    assert saved["commits"]


def test_so_many_kills_and_full_disks_are_recorded():
    kills, disks = (json.loads((SCRIPTS / f"{name}.json").read_text()) for name in ("kills", "full_disk"))
    kinds = ("training", "checkpointing", "packing", "regions")
    assert Counter(each["kind"] for each in kills["injections"]) == dict.fromkeys(kinds, 50)
    assert Counter(each["kind"] for each in disks["injections"]) == dict.fromkeys(kinds, 10)
