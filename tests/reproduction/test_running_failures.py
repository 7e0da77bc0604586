"""Pieces that fail, are stopped or are killed: what is said, and that nothing lives on."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae.interruption import Stopped
from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import read_piece_record
from rmae.reproduction.running import finished_work, run_pieces

Draw = Callable[..., Piece]
Children = Callable[[], set[int]]


@pytest.fixture
def endless(draw: Draw) -> Piece:
    """A piece that would run for minutes."""
    return draw("endless", num_train=200_000)


@pytest.fixture(autouse=True)
def _nothing_lives_on(children: Children):
    before = children()
    yield
    assert children() == before


def signal_child_when_it_works(
    number: signal.Signals, workspace: Path, children: Children, *, to_runner: signal.Signals | None = None
) -> threading.Thread:
    """Send a signal to the command of `endless` once it draws, and then one to this process, in a thread."""
    before = children()

    def send() -> None:
        while not (workspace / ".endless.partial").exists():
            time.sleep(0.01)
        [child] = children() - before
        os.kill(child, number)
        if to_runner is not None:
            os.kill(os.getpid(), to_runner)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_a_failing_piece_is_told_and_the_others_are_stopped(draw: Draw, endless: Piece, tmp_path: Path):
    told: list[str] = []
    pieces = [endless, draw("broken", img_size=1), draw("later", "broken")]
    with pytest.raises(ValueError, match="broken failed") as failed:
        run_pieces(pieces, tmp_path, jobs=2, tell=told.append)

    log = tmp_path / "logs" / "broken.log"
    last_line = log.read_text().splitlines()[-1]
    assert last_line.startswith("rmae: ")
    assert str(failed.value) == f"broken failed: {last_line.removeprefix('rmae: ')} (its log: {log})"
    assert [line.rsplit(" after")[0] for line in told] == [
        "[1/3] endless began", "[2/3] broken began", "[2/3] broken failed", "stopping; what runs saves its state",
        "[1/3] endless stopped",
    ]  # fmt: skip
    assert finished_work(pieces, tmp_path) == {}
    assert not (tmp_path / "endless").exists()
    assert not (tmp_path / "logs" / "later.log").exists()


def test_a_failed_piece_may_be_mended(draw: Draw, tmp_path: Path):
    with pytest.raises(ValueError, match="a failed"):
        run_pieces([draw("a", img_size=1)], tmp_path)
    run_pieces([draw("a")], tmp_path)
    assert finished_work([draw("a")], tmp_path).keys() == {"a"}


def test_a_killed_piece_is_told(endless: Piece, children: Children, tmp_path: Path):
    sender = signal_child_when_it_works(signal.SIGKILL, tmp_path, children)
    with pytest.raises(ValueError, match="endless was ended by SIGKILL, perhaps because memory ran out; take fewer"):
        run_pieces([endless], tmp_path)
    sender.join()


def test_a_piece_that_somebody_else_stops_stops_all(endless: Piece, children: Children, tmp_path: Path):
    sender = signal_child_when_it_works(signal.SIGTERM, tmp_path, children)
    with pytest.raises(Stopped) as stopped:
        run_pieces([endless], tmp_path)
    sender.join()
    assert str(stopped.value) == "endless was stopped; 0 of 1 pieces are done, the same command goes on"


def test_the_time_can_be_limited(draw: Draw, endless: Piece, tmp_path: Path):
    run_pieces([draw("a")], tmp_path)
    started = time.monotonic()
    with pytest.raises(Stopped) as stopped:
        run_pieces([draw("a"), endless], tmp_path, jobs=2, stop_after=1)

    assert str(stopped.value) == "stopped after 1 s as asked; 1 of 2 pieces are done, the same command goes on"
    assert time.monotonic() - started >= 1
    assert finished_work([draw("a"), endless], tmp_path).keys() == {"a"}
    record = read_piece_record(tmp_path, "endless")
    assert record is not None
    assert not record.finished
    assert record.seconds > 0.5


def test_what_does_not_stop_is_killed(
    endless: Piece, children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rmae.reproduction.work_in_hand._SECONDS_TO_STOP", 0.3)
    # One that is stopped cannot follow SIGTERM.
    sender = signal_child_when_it_works(signal.SIGSTOP, tmp_path, children, to_runner=signal.SIGTERM)
    with pytest.raises(Stopped, match="0 of 1 pieces are done"):
        run_pieces([endless], tmp_path)
    sender.join()


def test_a_limit_that_is_not_reached_changes_nothing(draw: Draw, tmp_path: Path):
    run_pieces([draw("a")], tmp_path, stop_after=600)
    assert finished_work([draw("a")], tmp_path).keys() == {"a"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_the_runner_in_order(number: signal.Signals, endless: Piece, tmp_path: Path):
    def send() -> None:
        while not (tmp_path / ".endless.partial").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        run_pieces([endless], tmp_path)
    sender.join()
    assert str(stopped.value) == f"stopped by {number.name}; 0 of 1 pieces are done, the same command goes on"
    assert signal.getsignal(number) is before


def test_an_error_in_between_leaves_nothing_running(endless: Piece, tmp_path: Path):
    def tell(line: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_pieces([endless], tmp_path, tell=tell)
