"""Stopping on a signal with nothing lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """Long work ended early because of a signal, with its state saved."""


class TrainingStopped(Stopped):
    """Training ended early because of a signal; a checkpoint holds its state."""


class StoppedElsewhere(Stopped):
    """As `Stopped`, in a process that leaves it to the first one of its run to say so."""


class FailedElsewhere(Exception):
    """Another process of the same run failed; the sentence is empty where another one says which and why."""


class StopSignal:
    """Notes SIGINT and SIGTERM while it is entered; a second one acts as usual.

    Where one came too late to be looked at, and so nobody raised an error for it, `EndedBySignal` is raised at the end:
    what follows may take long. Whoever has answered it in another way sets `received` to None.

    Signals reach the main thread alone: elsewhere nothing is noted and nothing changes.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        if kind is None and self.received is not None:
            raise EndedBySignal(self.received.name)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


_ends_anyway = threading.Event()


class EndedBySignal(KeyboardInterrupt):
    """Raised wherever the main thread is; no `except Exception` on the way up takes it for an error."""


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """Raise `Stopped` when SIGTERM arrives where there is nothing to save: before training begins, or after it.

    And for either signal that a `StopSignal` noted too late for its state to be saved once more.

    What has something to save puts `StopSignal` in its place meanwhile. Elsewhere than in the main thread nothing
    changes.

    Raises:
        Stopped: SIGTERM arrived.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if _ends_anyway.is_set():
            return
        signal.signal(signal.SIGTERM, before)  # a second one acts as usual
        raise EndedBySignal(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _ends_anyway.clear()
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except EndedBySignal as ended:
        raise Stopped(
            f"stopped by {ended}; what was saved before is whole: start the same command again, with --resume where "
            "its run has begun"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def end_in_peace() -> None:
    """Let SIGTERM change nothing until `stopped_at_once` ends, for a process that ends anyway and says why."""
    _ends_anyway.set()
