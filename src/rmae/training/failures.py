"""How processes that train together learn that one of them failed, and what is said about it once."""

import json
import os
import sys
import threading
import time
from typing import NamedTuple

import torch
from torch._C._distributed_c10d import Store
from torch.distributed import DistError

from rmae.interruption import FailedElsewhere, Stopped, StoppedElsewhere

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_END = 20.0  # that a process has to end by itself after another one failed
_SECONDS_TO_HEAR = 5.0  # that word of a failure may take after connections broke
_EXPECTED = (ValueError, OSError, ArithmeticError, MemoryError, torch.OutOfMemoryError)


class Failure(NamedTuple):
    """What ended a process."""

    rank: int
    sentence: str

    def __str__(self) -> str:
        """In one line."""
        return self.sentence if self.rank == 0 else f"process {self.rank}: {self.sentence}"


class FailureBoard:
    """Where the first process that fails leaves word for the others.

    A process that fails alone cannot tell the others in the middle of a step, where they wait for its gradients: with
    NCCL they would wait for half an hour. So each looks here every second, in a thread, and ends if it must.

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

    def watch(self) -> None:
        """Begin to look for failures of others."""
        self._thread.start()

    def stop_watching(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join()

    def publish(self, sentence: str) -> None:
        """Leave word of a failure, unless another was first."""
        try:
            self._store.compare_set("failure", "", json.dumps([self._rank, sentence]))
        except RuntimeError:
            return  # the first process is gone already

    def first(self) -> Failure | None:
        """The first failure of any process.

        Raises:
            RuntimeError: The process that holds the store is gone.
        """
        if not self._store.check(["failure"]):
            return None
        return Failure(*json.loads(self._store.get("failure")))

    def explain(self, error: BaseException) -> BaseException:
        """What this process is to raise for an error, so that it is told once: by the first process."""
        is_first = self._rank == 0
        match error:
            case FailedElsewhere() | StoppedElsewhere():
                return error
            case Stopped():
                return error if is_first else StoppedElsewhere()
            case RuntimeError() if is_broken_connection(error):
                return self._lost()
            case _:
                self.publish(_sentence(error))
                # What nobody expects needs its traceback, wherever it happened.
                return FailedElsewhere() if isinstance(error, _EXPECTED) and not is_first else error

    def leave(self) -> None:
        """After a failure: the first process, which may hold the store, stays until the others have heard."""
        try:
            gone = self._store.add("gone", 1)
            end = time.monotonic() + _SECONDS_TO_HEAR
            while self._rank == 0 and gone < self._world_size and time.monotonic() < end:
                time.sleep(0.05)
                gone = self._store.add("gone", 0)
        except RuntimeError:
            return

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
        return FailedElsewhere(str(failure) if self._rank == 0 else "")

    def _watch(self) -> None:
        while not self._closed.wait(_SECONDS_BETWEEN_LOOKS):
            try:
                failure = self.first()
            except RuntimeError:
                failure = Failure(0, _gone(0, self._rank))
                is_mine_to_tell = True
            else:
                is_mine_to_tell = self._rank == 0
            if failure is not None:
                if not self._closed.wait(_SECONDS_TO_END):
                    end_process(str(failure) if is_mine_to_tell and failure.rank != self._rank else "")
                return


def end_process(sentence: str) -> None:
    """End this process at once, where its main thread may wait for ever for one that is gone."""
    if sentence:
        print(f"rmae: {sentence}", file=sys.stderr, flush=True)
    os._exit(1)


def _gone(rank: int | None, by: int) -> str:
    who = "another process" if rank is None else f"process {rank}"
    where = "" if by == 0 else f"process {by}: "
    return f"{where}{who} was ended from outside, perhaps because memory ran out; go on with --resume"


def is_broken_connection(error: RuntimeError) -> bool:
    """Whether an error says no more than that another process does not answer."""
    return isinstance(error, DistError) or "gloo" in str(error)


def _sentence(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
