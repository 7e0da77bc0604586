"""The runner itself is stopped and killed: nothing lives on, and its next start ends as if nothing had been."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from rmae.reproduction.piece import Piece
from rmae.reproduction.running import finished_work, run_pieces

RUN = """
import json, sys
from pathlib import Path
from rmae.interruption import Stopped
from rmae.reproduction.piece import Piece
from rmae.reproduction.running import run_pieces

pieces = [Piece(name, tuple(words), tuple(needs), *rest) for name, words, needs, *rest in json.loads(sys.argv[1])]
try:
    run_pieces(pieces, Path(sys.argv[2]), jobs=2)
except Stopped as stopped:
    print(stopped)
    sys.exit(3)
"""
SECONDS = 120  # within which everything here must end


def start(pieces: Sequence[Piece], workspace: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(pieces), workspace],
        stdout=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def descendants(pid: int) -> set[Path]:
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # of a thread that has ended since
            found.update(map(int, file.read_text().split()))
    return {Path(f"/proc/{child}") for child in found}.union(*map(descendants, found))


def interrupt(pieces: Sequence[Piece], workspace: Path, file: str, number: signal.Signals) -> str:
    """Send a signal to a runner, and to all of its group as a terminal does, once a file exists; returns what it says.

    It has begun a piece by then, also where the file is left from a start before. Nothing of it lives on.
    """
    with start(pieces, workspace) as process:
        wait_for(lambda: (workspace / file).exists() and bool(descendants(process.pid)))
        lived = descendants(process.pid)
        os.killpg(process.pid, number)
        said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 3), said
    started = time.monotonic()
    wait_for(lambda: not any(each.exists() for each in lived))
    assert time.monotonic() - started < 10
    return said


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def large(draw: Callable[..., Piece]) -> Piece:
    """Takes a second."""
    return draw("large", num_train=60)


@pytest.fixture(scope="module")
def undisturbed(large: Piece, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What `large` makes."""
    workspace = tmp_path_factory.mktemp("undisturbed")
    subprocess.run([sys.executable, "-m", "rmae", *large.arguments], check=True, cwd=workspace)
    return all_files(workspace / large.out)


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_the_next_start_ends_as_if_nothing_had_been(
    number: signal.Signals, draw: Callable[..., Piece], large: Piece, undisturbed: dict[str, bytes], tmp_path: Path
):
    pieces = [draw("small"), large]
    said = interrupt(pieces, tmp_path, ".large.partial", number)
    assert not (tmp_path / "large").exists()
    if number != signal.SIGKILL:
        done = f"{len(finished_work(pieces, tmp_path))} of 2 pieces are done"
        assert said.splitlines()[-1] == f"stopped by {number.name}; {done}, the same command goes on"

    run_pieces(pieces, tmp_path)
    assert finished_work(pieces, tmp_path).keys() == {"small", "large"}
    assert all_files(tmp_path / "large") == undisturbed


def test_a_second_runner_is_refused_while_the_first_works(large: Piece, tmp_path: Path):
    with start([large], tmp_path) as process:
        wait_for((tmp_path / ".large.partial").exists)
        with pytest.raises(ValueError, match="another rmae reproduce works in"):
            run_pieces([large], tmp_path)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0


TRAINING = (
    "--size", "micro", "--img-size", "32", "--patch-size", "8", "--batch-size", "2", "--updates", "40", "--log-every",
    "1", "--checkpoint-every", "5", "--num-workers", "0", "--num-threads", "1", "--accelerator", "cpu",
)  # fmt: skip
SEGMENTING = (
    "--img-size", "32", "--batch-size", "2", "--updates", "12", "--log-every", "1", "--checkpoint-every", "4",
    "--num-workers", "0", "--num-threads", "1", "--accelerator", "cpu", "--seeds", "2",
)  # fmt: skip
STORED = ("--regions", "stored --path data.regions")
SOURCE = ("--source", "felzenszwalb --scales 100")
PLAN = (
    Piece("data", ("scenes", "data", "--num-train", "24", "--num-val", "6"), (), "data", resumable=False),
    Piece("regions", ("regions", "make", "data", "data.regions", *SOURCE), ("data",), "data.regions", resumable=False),
    Piece(
        "train", ("pretrain", "demo", "--data", "data", "--out", "runs/a", *STORED, *TRAINING), ("regions",), "runs/a",
        resumable=True,
    ),
    Piece(
        "segment", ("evaluate", "segment", "runs/a", "--data", "data", "--out", "runs/b", *SEGMENTING), ("train",),
        "runs/b", resumable=True,
    ),
)  # fmt: skip
MOMENTS = (
    ("data.regions.partial", signal.SIGKILL),
    ("runs/a", signal.SIGKILL),
    ("runs/a/config.json", signal.SIGTERM),
    ("runs/a/checkpoints/update_000000005", signal.SIGKILL),
    ("runs/a/checkpoints/update_000000015", signal.SIGTERM),
    ("runs/a/report.html", signal.SIGKILL),
    ("runs/b/seed_0", signal.SIGKILL),
    ("runs/b/seed_0/checkpoints/update_000000004", signal.SIGTERM),
    ("runs/b/seed_0/results.json", signal.SIGKILL),
    ("runs/b/seed_1/checkpoints/update_000000008", signal.SIGKILL),
    ("runs/b/results.json", signal.SIGKILL),
)


def outcome(workspace: Path) -> dict[str, object]:
    """What came of the plan: weights, scores and every logged loss."""
    weights = {str(file.relative_to(workspace)): file.read_bytes() for file in workspace.glob("runs/**/*.safetensors")}
    scores = {str(path.parent.name): json.loads(path.read_text()) for path in workspace.glob("runs/**/results.json")}
    losses = {
        str(file.relative_to(workspace)): [json.loads(line)["loss"] for line in file.read_text().splitlines()]
        for file in workspace.glob("runs/**/metrics.jsonl")
    }
    assert len(losses) == len(scores) == 3
    return weights | losses | {f"{name} scores": saved["scores"] for name, saved in scores.items()}


@pytest.mark.slow
def test_training_and_evaluation_go_on_from_any_kill_and_stop(tmp_path: Path):
    expected, workspace = tmp_path / "undisturbed", tmp_path / "killed"
    with start(PLAN, expected) as process:
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0

    for file, number in MOMENTS:
        said = interrupt(PLAN, workspace, file, number)
        print(file, number.name, said, sep="\n")
    with start(PLAN, workspace) as process:
        said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    print(said)
    assert outcome(workspace) == outcome(expected)
    assert finished_work(PLAN, workspace).keys() == {piece.name for piece in PLAN}
