"""How processes that train together learn that one of them failed, and what is said about it once."""

import json
import multiprocessing
import os
import sys
import threading
import time
from contextlib import suppress
from typing import NamedTuple

from torch._C._distributed_c10d import Store
from torch.distributed import DistError

from rmae.interruption import FailedElsewhere, Stopped, StoppedElsewhere
from rmae.out_of_memory import is_out_of_memory
from rmae.quoting import LONGEST_SENTENCE, one_line

_SECONDS_BETWEEN_LOOKS = 1.0
_LOOKS_OF_SILENCE = 45
"""After so many looks a process of which nothing is heard is given up. Looks and not seconds: processes that were all
stopped for a while, and went on, have not looked meanwhile."""
_SECONDS_TO_END = 20.0  # that a process has to end by itself after another one failed
_SECONDS_TO_HEAR = 5.0  # that word of a failure may take after connections broke
_FAILURE, _GONE, _HEARD = "failure", "gone", "the first process has heard"  # in the store
_EXPECTED = (ValueError, OSError, ArithmeticError)


class Failure(NamedTuple):
    """What ended a process."""

    rank: int
    sentence: str
    hangs: bool = False
    """Whether it was given up, and so cannot say anything itself."""

    def __str__(self) -> str:
        """In one line."""
        if self.hangs:
            return f"process {self.rank} {self.sentence}"
        return self.sentence if self.rank == 0 else f"process {self.rank}: {self.sentence}"


class FailureBoard:
    """Where the first process that fails leaves word for the others.

    A process that fails alone cannot tell the others in the middle of a step, where they wait for its gradients: with
    NCCL they would wait for half an hour. So each looks here every second, in a thread, and ends if it must.

    By these looks the others also know that a process lives: its machine may be gone, or it may be stopped, without
    an error or a broken connection. The first process listens to all, and all listen to the first.

    Args:
        store: Shared by all processes; lives in the first one or in the launcher.
        rank: Which process this is.
        world_size: Number of processes.
    """

    def __init__(self, store: Store, *, rank: int, world_size: int) -> None:
        self._store = store
        self._rank = rank
        self._world_size = world_size
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._known: Failure | None = None
        self._looks = 0
        self._heard = {other: _Heard() for other in (range(1, world_size) if rank == 0 else (0,))}

    def watch(self) -> None:
        """Begin to look for failures of others."""
        self._thread.start()
        threading.Thread(target=self._watch_the_store, daemon=True).start()

    def stop_watching(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join()

    def publish(self, sentence: str) -> None:
        """Leave word of a failure, unless another was first."""
        try:
            self._store.compare_set(_FAILURE, "", json.dumps([self._rank, sentence]))
        except RuntimeError:
            return  # the first process is gone already

    def first(self) -> Failure | None:
        """The first failure of any process.

        Raises:
            RuntimeError: The process that holds the store is gone.
        """
        if not self._store.check([_FAILURE]):
            return None
        return Failure(*json.loads(self._store.get(_FAILURE)))

    def explain(self, error: BaseException) -> BaseException:
        """What this process is to raise for an error, so that it is told once: by the first process."""
        is_first = self._rank == 0
        match error:
            case FailedElsewhere() | StoppedElsewhere():
                return error
            case Stopped() | KeyboardInterrupt() if self._known is not None:
                return self._failed(self._known)  # which made a launcher end this process too
            case Stopped():  # which all raise together
                return error if is_first else StoppedElsewhere()
            case KeyboardInterrupt():
                self.publish("stopped by a signal")
                return error if is_first else StoppedElsewhere()
            case RuntimeError() if is_broken_connection(error):
                return self._lost()
            case _:
                self.publish(_sentence(error))
                # What nobody expects needs its traceback, wherever it happened.
                is_expected = isinstance(error, _EXPECTED) or is_out_of_memory(error)
                return FailedElsewhere() if is_expected and not is_first else error

    def leave(self) -> None:
        """After a failure: stay until the others know as much as they need.

        The first process may hold the store, and so stays until all others have heard. They stay until it has: a
        launcher ends all that are left as soon as one ends, and the first one has to say why.
        """
        try:
            if self._rank == 0:
                self._store.set(_HEARD, "1")
            gone = self._store.add(_GONE, 1)
            end = time.monotonic() + _SECONDS_TO_HEAR
            while self._has_to_stay(gone) and time.monotonic() < end:
                time.sleep(0.05)
                gone = self._store.add(_GONE, 0)
        except RuntimeError:
            return

    def _has_to_stay(self, gone: int) -> bool:
        if self._rank == 0:
            return gone < self._world_size
        return self._store.check([_FAILURE]) and not self._store.check([_HEARD])

    def _failed(self, failure: Failure) -> FailedElsewhere:
        return FailedElsewhere(str(failure) if self._rank == 0 else "")

    def _lost(self) -> FailedElsewhere:
        """What to raise where another process does not answer any more."""
        end = time.monotonic() + _SECONDS_TO_HEAR
        try:
            while (failure := self.first()) is None and time.monotonic() < end:
                time.sleep(0.05)
        except RuntimeError:
            return FailedElsewhere(_gone(0, self._rank))
        if failure is None and self._rank == 0:
            return FailedElsewhere(_gone(None, self._rank))
        return FailedElsewhere() if failure is None else self._failed(failure)

    def _watch(self) -> None:
        while not self._closed.wait(_SECONDS_BETWEEN_LOOKS):
            try:
                failure = self._listen() or self.first()
            except RuntimeError:
                failure = Failure(0, _gone(0, self._rank))
                tells = True
            else:
                # The first process tells, unless it is the one that cannot.
                tells = self._rank == (1 if failure is not None and failure.hangs and failure.rank == 0 else 0)
            if failure is not None:
                self._note(failure)
                if not self._closed.wait(self._seconds_to_end(failure)):
                    end_process(str(failure) if tells and failure.rank != self._rank else "")
                return
            self._looks += 1

    def _note(self, failure: Failure) -> None:
        self._known = failure
        if self._rank == 0:
            with suppress(RuntimeError):  # the store may be gone with its process
                self._store.set(_HEARD, "1")

    def _listen(self) -> Failure | None:
        """Give a beat, and give up a process that has given none for long."""
        self._store.add(_beats_of(self._rank), 1)
        for other, heard in self._heard.items():
            if heard.is_silent(self._store.add(_beats_of(other), 0)):
                failure = Failure(other, _HANGS, hangs=True)
                self._store.compare_set(_FAILURE, "", json.dumps(failure))
                return failure
        return None

    def _seconds_to_end(self, failure: Failure) -> float:
        """How long this process may take to end by itself: not at all where it waits for one that hangs."""
        if not failure.hangs:
            return _SECONDS_TO_END
        return _SECONDS_TO_HEAR if self._rank == 0 else 0.0  # the first one may hold the store

    def _watch_the_store(self) -> None:
        """End this process where looks themselves hang, since the process that holds the store does."""
        heard = _Heard()
        while not self._closed.wait(_SECONDS_BETWEEN_LOOKS):
            if heard.is_silent(self._looks) and self._thread.is_alive():
                end_process(f"process {self._rank}: process 0 {_HANGS}")


class _Heard:
    """The last sign of life of something."""

    def __init__(self) -> None:
        self._sign, self._looks = -1, 0

    def is_silent(self, sign: int) -> bool:
        """Whether there was no new sign of life for too long."""
        self._looks = self._looks + 1 if sign == self._sign else 0
        self._sign = sign
        return self._looks >= _LOOKS_OF_SILENCE


_HANGS = (
    "does not answer any more, though it has not failed: perhaps it was stopped, or its machine or network is gone; go "
    "on with --resume"
)


def _beats_of(rank: int) -> str:
    return f"beats of process {rank}"


def end_process(sentence: str) -> None:
    """End this process at once, where its main thread may wait for ever for one that is gone, and those it started."""
    if sentence:
        print(f"rmae: {one_line(sentence, longest=LONGEST_SENTENCE)}", file=sys.stderr, flush=True)
    for child in multiprocessing.active_children():
        child.kill()  # one that was stopped would not notice that this process is gone
    os._exit(1)


def _gone(rank: int | None, by: int) -> str:
    who = "another process" if rank is None else f"process {rank}"
    where = "" if by == 0 else f"process {by}: "
    return f"{where}{who} was ended from outside, perhaps because memory ran out; go on with --resume"


def is_broken_connection(error: RuntimeError) -> bool:
    """Whether an error says no more than that another process does not answer."""
    return isinstance(error, DistError) or "gloo" in str(error)


def _sentence(error: BaseException) -> str:
    if is_out_of_memory(error):
        return "out of memory"
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
