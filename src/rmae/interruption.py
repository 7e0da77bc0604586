"""Stopping on a signal with nothing lost."""

import signal
import threading
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
