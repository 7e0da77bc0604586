import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import PieceRecord, read_piece_record, write_piece_record
from rmae.reproduction.started_piece import StartedPiece
from rmae.reproduction.workspace_lock import locked

Children = Callable[[], set[int]]
Start = Callable[..., tuple[StartedPiece, Path]]


@pytest.fixture
def start(draw: Callable[..., Piece], children: Children, tmp_path: Path) -> Iterator[Start]:
    """Starts a piece of minutes; returns it, and what the kernel knows of it, when it draws."""
    all_started: list[StartedPiece] = []
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)

    def start(gpu: str | None = None) -> tuple[StartedPiece, Path]:
        before = children()
        all_started.append(StartedPiece(draw("endless", num_train=200_000), tmp_path, gpu=gpu, lock=lock))
        while not (tmp_path / ".endless.partial").exists():
            time.sleep(0.01)
        [child] = children() - before
        return all_started[0], Path("/proc") / str(child)

    yield start
    for started in all_started:
        started.kill()
    os.close(lock)


def environment_of(process: Path) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in (process / "environ").read_text().rstrip("\0").split("\0"))


def test_its_process_is_the_command_and_nothing_else(start: Start, tmp_path: Path):
    _, process = start()
    command = (process / "cmdline").read_text().split("\0")
    assert command[1:6] == ["-P", "-m", "rmae", "scenes", "endless"]
    assert (process / "cwd").resolve() == tmp_path
    assert (process / "fd" / "0").resolve() == Path("/dev/null")
    assert (process / "fd" / "1").resolve() == (process / "fd" / "2").resolve() == tmp_path / "logs" / "endless.log"
    assert tmp_path / "lock" in {file.resolve() for file in (process / "fd").iterdir()}


def test_it_has_a_session_of_its_own(start: Start):
    _, process = start()
    assert os.getsid(int(process.name)) == int(process.name) != os.getsid(0)


def test_it_sees_the_gpu_of_its_slot(start: Start):
    _, process = start(gpu="3")
    assert environment_of(process) == {**os.environ, "PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": "3"}


def test_without_a_choice_it_sees_what_this_process_sees(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5")
    _, process = start(gpu=None)
    assert environment_of(process)["CUDA_VISIBLE_DEVICES"] == "GPU-5"


def test_it_is_none_of_several_processes_that_the_runner_may_be_one_of(start: Start, monkeypatch: pytest.MonkeyPatch):
    before = dict(os.environ)
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    _, process = start()
    assert environment_of(process) == {**before, "PYTHONUNBUFFERED": "1", "SLURM_JOB_ID": "7"}


def test_its_last_line_is_of_this_start(start: Start, tmp_path: Path):
    log = tmp_path / "logs" / "endless.log"
    log.parent.mkdir()
    log.write_text("what an earlier start said\n")
    started, _ = start()
    assert started.last_line() == ""
    assert log.read_text().startswith("what an earlier start said\n$ rmae scenes endless")
    with log.open("ab") as file:
        file.write(b"x" * 100_000 + b"\nupdate 1\rupdate \xff\n\n  \n")
    assert started.last_line() == "update �"


def test_its_seconds_are_on_disk_while_it_runs(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rmae.reproduction.started_piece._SECONDS_BETWEEN_RECORDS", 0.1)
    started, _ = start()
    time.sleep(0.2)
    assert started.ended() is None
    record = read_piece_record(tmp_path, "endless")
    assert record is not None
    assert not record.finished
    assert 0.2 < record.seconds <= started.seconds + 0.005  # of rounding


@pytest.mark.parametrize(("begun", "commits"), [(True, ("of-old", "of-now")), (False, ("of-now",))])
def test_its_commits_are_those_of_what_it_goes_on_with(
    begun: bool, commits: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    piece = Piece("a", ("--help",), (), "runs/a", resumable=True)
    write_piece_record(tmp_path, "a", PieceRecord(piece.arguments, 5.0, False, ("of-old",)))
    if begun:
        (tmp_path / "runs" / "a").mkdir(parents=True)
        (tmp_path / "runs" / "a" / "config.json").touch()
    monkeypatch.setattr("rmae.reproduction.started_piece.source_commit", lambda: "of-now")
    with locked(tmp_path) as lock:
        started = StartedPiece(piece, tmp_path, gpu=None, lock=lock)
    started.kill()
    record = read_piece_record(tmp_path, "a")
    assert record is not None
    assert record.commits == commits


@pytest.mark.slow
def test_it_is_killed_with_all_of_its_group(draw: Callable[..., Piece], children: Children, tmp_path: Path):
    subprocess.run([sys.executable, "-m", "rmae", *draw("data", num_train=60, img_size=128).arguments], cwd=tmp_path)
    flags = ("--source", "felzenszwalb --scales 50 100 200 400 800", "--num-workers", "2")
    piece = Piece("regions", ("regions", "make", "data", "data.regions", *flags), (), "data.regions", resumable=False)
    before = children()
    with locked(tmp_path) as lock:
        started = StartedPiece(piece, tmp_path, gpu=None, lock=lock)
    [child] = children() - before
    while len(workers := Path(f"/proc/{child}/task/{child}/children").read_text().split()) < 2:
        assert started.ended() is None
    for worker in workers:
        os.kill(int(worker), signal.SIGSTOP)  # they would end by themselves when their parent is gone
    started.kill()

    end = time.monotonic() + 5
    while any(Path("/proc", worker).exists() for worker in workers):
        assert time.monotonic() < end
    assert children() == before
