"""The scripts of faults themselves: a promise that is broken is found, named and remembered."""

import argparse
import json
import shutil
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


def looks(growth_mb: float, files: int) -> list[dict[str, Any]]:
    """A minute of looks at a parent that grows."""
    return [
        {
            "minute": i / 60,
            "update": i,
            "megabytes": {"parent": 200 + growth_mb * i / 60},
            "open_files": {"parent": 10 + files * i // 60},
        }
        for i in range(60)
    ]


def test_memory_that_grows_is_found():
    from injection import Violation
    from soak import check_flat

    assert check_flat(looks(2, 0), 1)["updates"] == 59
    with pytest.raises(Violation, match=r"parent grew by 3\d\.\d megabytes in 1 minutes"):
        check_flat(looks(60, 0), 1)
    with pytest.raises(Violation, match=r"parent grew by \d+\.\d open files in 1 minutes"):
        check_flat(looks(0, 20), 1)


@pytest.mark.slow
def test_a_torn_shard_is_found(tmp_path: Path):
    from injection import Violation
    from targets import Packing, draw_pictures

    packing = Packing(draw_pictures(tmp_path / "data", 6, tmp_path), tmp_path)
    whole, out = tmp_path / "undisturbed" / "packed", tmp_path / "out"
    shutil.copytree(whole, out)
    packing.check_end(out)
    [shard] = out.glob("*.tar")
    content = bytearray(shard.read_bytes())
    content[2000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(Violation, match=r"shard-000000\.tar is not that of the undisturbed call"):
        packing.check_files(out)
