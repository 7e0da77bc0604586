"""The short form of every script of `benchmarks/faults`: a few faults of each kind, injected for real."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "faults"
LOSSES = {"worker killed", "files vanish", "read-only output", "clock goes back"}


def inject(name: str, *flags: str, record: Path) -> dict[str, Any]:
    """Run a script; returns its record."""
    command = [sys.executable, SCRIPTS / f"{name}.py", *flags, "--json", record, "--workspace", record.parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as script:
        try:
            printed, complained = script.communicate(timeout=590)
        finally:
            script.terminate()  # then it ends its commands and its mounts
    assert (script.returncode, complained) == (0, ""), printed
    saved = json.loads(record.read_text())
    assert saved["violation"] is None
    assert saved["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert saved["commits"]
    return saved


@pytest.mark.parametrize("kind", ["training", "checkpointing", "packing", "regions"])
def test_kills_lose_nothing(kind: str, tmp_path: Path):
    saved = inject("kills", "--kills", "3", "--kinds", kind, record=tmp_path / "kills.json")
    assert [each["kind"] for each in saved["injections"]] == [kind] * 3
    assert all(each["updates_lost"] <= each["interval"] for each in saved["injections"] if "interval" in each)
    assert any(each["found"] != "starting" for each in saved["injections"])


def test_a_full_disk_loses_nothing(tmp_path: Path):
    saved = inject(
        "full_disk",
        "--injections",
        "1",
        "--kinds",
        "checkpointing",
        "packing",
        "--rooms",
        "1",
        record=tmp_path / "a.json",
    )
    assert {each["kind"] for each in saved["injections"]} == {"checkpointing", "packing"}
    assert all(each["sentence"] for each in saved["injections"])


@pytest.mark.parametrize("kind", ["training", "packing"])
def test_what_is_taken_away_in_the_middle_is_said_or_does_not_matter(kind: str, tmp_path: Path):
    saved = inject("losses", "--injections", "1", "--kinds", kind, record=tmp_path / "losses.json")
    assert {each["loss"] for each in saved["injections"]} >= LOSSES


def test_no_process_waits_for_one_that_died_or_hangs(tmp_path: Path):
    saved = inject("ranks", "--injections", "1", "--short", record=tmp_path / "ranks.json")
    assert Counter(each["fault"] for each in saved["injections"]) == {"dies": 1, "hangs": 1}
    assert all(each["seconds_until_the_other_ended"] < 60 for each in saved["injections"])


def test_memory_stays_flat(tmp_path: Path):
    saved = inject("soak", "--minutes", "2", record=tmp_path / "soak.json")
    assert len(saved["injections"]) >= 15
    assert set(saved["injections"][0]["megabytes"]) == {"parent", "worker 0", "worker 1"}
