"""Running pieces: several at once, each once, and on from where they were stopped or killed."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rmae.interruption import StopSignal
from rmae.reproduction.earlier_starts import check_workspace
from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import PieceRecord, read_piece_record
from rmae.reproduction.slots import open_slots
from rmae.reproduction.work_in_hand import SECONDS_BETWEEN_LOOKS, WorkInHand, in_words
from rmae.reproduction.workspace_lock import locked


def _print(line: str) -> None:
    print(line, flush=True)


def run_pieces(
    pieces: Sequence[Piece],
    workspace: Path,
    *,
    jobs: int | None = None,
    stop_after: float | None = None,
    tell: Callable[[str], None] = _print,
) -> None:
    """Run every piece that is not done yet, each as a process of its own, several at once.

    A piece begins when those that it needs are done and there is a place for it, in the order given. What it says goes
    to `logs/NAME.log`, and what is known of it to `records/NAME.json`. After a stop, an error or a kill of any kind the
    same call goes on: with what a piece has begun if that can be gone on with, anew otherwise.

    Args:
        pieces: Their names and the places where they write differ, and what they need is among them.
        workspace: Folder in which the commands run, made if it is missing.
        jobs: Most pieces at a time, at least 1; None = one a GPU or, where there is none, one a core of this process.
        stop_after: Seconds after which whatever runs is stopped with its state saved, above 0; None = never.
        tell: Is given a line when a piece begins and when it ends.

    Raises:
        Stopped: A signal arrived, or the time is over; the same call goes on.
        ValueError: A piece failed, or what is in the workspace was made with other settings, is not ours, or is being
            worked on by another process.
        OSError: The workspace cannot be written.
    """
    _assert_sound(pieces)
    slots = open_slots(jobs, os.environ)
    if stop_after is not None and not stop_after > 0:
        raise ValueError(f"stop_after is {stop_after}; it must be above 0 seconds")
    end = None if stop_after is None else time.monotonic() + stop_after
    workspace.mkdir(parents=True, exist_ok=True)
    with locked(workspace) as lock, StopSignal() as stop:
        check_workspace(pieces, workspace)
        work = WorkInHand(pieces, workspace, slots=slots, lock=lock, tell=tell)
        try:
            while not work.is_done():
                if stop.received is not None:
                    work.stop(f"stopped by {stop.received.name}")
                    stop.received = None  # nothing was left to do
                elif end is not None and stop_after is not None and time.monotonic() >= end:
                    work.stop(f"stopped after {in_words(stop_after)} as asked")
                else:
                    work.begin()
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                    work.look()
        finally:
            work.kill()


def finished_work(pieces: Sequence[Piece], workspace: Path) -> dict[str, PieceRecord]:
    """What is known of each finished piece, by name."""
    records = {piece.name: read_piece_record(workspace, piece.name) for piece in pieces}
    return {name: record for name, record in records.items() if record is not None and record.finished}


def _assert_sound(pieces: Sequence[Piece]) -> None:
    """Plans are ours, so that what is wrong with them is no mistake of the user."""
    names = {piece.name for piece in pieces}
    assert len(names) == len(pieces), "two pieces have the same name"
    assert len({piece.out for piece in pieces}) == len(pieces), "two pieces write in the same place"
    assert names.issuperset(need for piece in pieces for need in piece.needs), "a piece needs one that is not there"
    could_be_done: set[str] = set()
    for _ in pieces:
        could_be_done |= {piece.name for piece in pieces if could_be_done.issuperset(piece.needs)}
    assert could_be_done == names, "pieces need each other in a circle"
