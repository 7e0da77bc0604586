"""`make fuzz` goes on where it was stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, sys
from pathlib import Path
from fuzz.__main__ import main

for words in json.loads(sys.argv[1]):
    sys.argv[1:] = ["--only", "run lengths", *words]
    main()
    print("kept:", Path(words[1]).read_text().replace("\\n", " "), flush=True)
"""


def fuzz(folder: Path, *calls: list[str]) -> list[dict[str, Any]]:
    """Fuzz one reader in calls, one after the other; returns what is kept of it after each."""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(calls)],
        cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = [json.loads(line.removeprefix("kept:")) for line in done.stdout.splitlines() if line.startswith("kept:")]
    assert all(record["readers"].keys() == {"run lengths"} for record in kept)
    return [record["readers"]["run lengths"] for record in kept]


@pytest.mark.slow
def test_what_is_tried_is_not_tried_again_and_the_rest_is(tmp_path: Path):
    twenty, thirty = ["--out", "stopped.json", "--inputs", "20"], ["--out", "stopped.json", "--inputs", "30"]
    first, again, found, expected = fuzz(tmp_path, twenty, twenty, thirty, ["--out", "whole.json", "--inputs", "30"])
    assert first["inputs"] == 20
    assert again == first  # with the seconds that it took
    assert found["inputs"] == 30
    assert found.pop("seconds") >= first["seconds"]
    expected.pop("seconds")
    assert found == expected
