"""The pieces that are being worked on, from the first to the last."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rmae.interruption import Stopped
from rmae.reproduction.earlier_starts import is_done
from rmae.reproduction.piece import Piece
from rmae.reproduction.started_piece import StartedPiece

SECONDS_BETWEEN_LOOKS = 0.1
"""How often it is seen what has ended."""
_SECONDS_TO_STOP = 60.0  # that pieces have to save their state
_STOPPED = (3, -signal.SIGINT, -signal.SIGTERM)  # exit codes; a piece that has no state to save dies of the signal


class WorkInHand:
    """Which pieces are done, which run and which wait.

    Args:
        pieces: In the order in which they are to begin.
        workspace: The folder, checked and locked.
        slots: As many pieces run at a time, each with one of these `CUDA_VISIBLE_DEVICES`; None = this process's.
        lock: Descriptor of the locked file.
        tell: Is given a line when a piece begins and when it ends.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        workspace: Path,
        *,
        slots: Sequence[str | None],
        lock: int,
        tell: Callable[[str], None],
    ) -> None:
        self._places = {piece.name: place for place, piece in enumerate(pieces, start=1)}
        self._workspace, self._slots, self._lock, self._tell_line = workspace, slots, lock, tell
        self._waiting = [piece for piece in pieces if not is_done(piece, workspace)]
        self._running: dict[int, StartedPiece] = {}  # by slot
        self._done = self._places.keys() - {piece.name for piece in self._waiting}
        if self._done:
            tell(f"{self._progress()} already")

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._waiting and not self._running

    def begin(self) -> None:
        """Begin what may begin, as far as there are slots."""
        for slot, gpu in enumerate(self._slots):
            piece = next((piece for piece in self._waiting if self._done.issuperset(piece.needs)), None)
            if piece is None:
                return
            if slot not in self._running:
                self._waiting.remove(piece)
                started = StartedPiece(piece, self._workspace, gpu=gpu, lock=self._lock)
                self._running[slot] = started
                self._tell(started, "goes on" if started.goes_on else "began")

    def look(self) -> None:
        """See what has ended.

        Raises:
            ValueError: A piece failed; the others have been stopped.
            Stopped: A piece was stopped by somebody else; so have been the others.
        """
        for started, code in self._take_ended():
            name = started.piece.name
            if code in _STOPPED:
                self._tell(started, f"stopped after {in_words(started.seconds)}")
                self.stop(f"{name} was stopped")
            else:
                self._tell(started, f"failed after {in_words(started.seconds)}")
                why = _why(started, code)
                self._end_all()
                raise ValueError(f"{name} {why} (its log: {started.log})")

    def stop(self, reason: str) -> None:
        """Stop whatever runs, with its state saved.

        Raises:
            Stopped: There is something left to do.
        """
        self._end_all()
        if len(self._done) < len(self._places):
            raise Stopped(f"{reason}; {self._progress()}, the same command goes on")

    def kill(self) -> None:
        """End whatever still runs, at once."""
        for started in self._running.values():
            started.kill()
        self._running.clear()

    def _take_ended(self) -> list[tuple[StartedPiece, int]]:
        """Take note of what has ended well; returns what has not, with exit codes."""
        others = []
        for slot, started in list(self._running.items()):
            code = started.ended()
            if code is None:
                continue
            del self._running[slot]
            if code == 0:
                piece = started.piece
                assert (self._workspace / piece.out).exists(), f"{piece.name} has not written {piece.out}"
                self._done.add(piece.name)
                self._tell(started, f"done in {in_words(started.seconds)}")
            else:
                others.append((started, code))
        return others

    def _end_all(self) -> None:
        if self._running:
            self._tell_line("stopping; what runs saves its state")
        for started in self._running.values():
            started.ask_to_stop()
        end = time.monotonic() + _SECONDS_TO_STOP
        while self._running and time.monotonic() < end:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            for started, _ in self._take_ended():
                self._tell(started, f"stopped after {in_words(started.seconds)}")
        self.kill()

    def _progress(self) -> str:
        return f"{len(self._done)} of {len(self._places)} pieces are done"

    def _tell(self, started: StartedPiece, what: str) -> None:
        total, name = len(self._places), started.piece.name
        self._tell_line(f"[{self._places[name]:>{len(str(total))}}/{total}] {name} {what}")


def _why(started: StartedPiece, code: int) -> str:
    """Why a piece has failed, as its sentence goes on."""
    if code < 0:
        memory = ", perhaps because memory ran out; take fewer --jobs" if code == -signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-code).name}{memory}"
    said = started.last_line().removeprefix("rmae: ")
    return f"failed: {said}" if said else f"failed with exit code {code}, and has not said why"


def in_words(seconds: float) -> str:
    """A time as people say it.

    Example:
        >>> in_words(171.2), in_words(540), in_words(7500)
        ('2 min 51 s', '9 min', '2 h 5 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
