"""Doing one piece of work in all processes of a run, started here or by a launcher."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from typing import TypeVar

from lightning_fabric.plugins.environments.lightning import find_free_network_port

from rmae.config import RunConfig
from rmae.data.worker_process import live_and_die_with_parent
from rmae.interruption import FailedElsewhere, StoppedElsewhere
from rmae.quoting import LONGEST_SENTENCE, one_line
from rmae.training.devices import check_accelerator
from rmae.training.failures import end_process
from rmae.training.launch import Launch, read_launch
from rmae.training.ranks import Ranks, open_ranks

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_END = 30.0  # that processes started here have after the work is done, or after one of them failed
_SET_BY_FABRIC = ("MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS")


def run_on_ranks(work: Callable[[Ranks], T], run: RunConfig, *, check: Callable[[], None] = lambda: None) -> T:
    """Do something in every process of a run.

    Where torchrun or srun started this process, its fellows do the same by themselves. Otherwise `run.devices` says
    how many there are: this one, which is the first, and others, which are started here and end with the work.

    Args:
        work: What to do; can be pickled where processes are to be started.
        run: Device, arithmetic and number of devices.
        check: What must not raise an error for other processes to be started; not asked otherwise.

    Returns:
        What the work returns in this process.

    Raises:
        ValueError: There are no such devices here, or the work cannot be sent to other processes.
        FailedElsewhere: Another process failed.
    """
    launch = read_launch(os.environ)
    with _environment_kept():
        if launch is None and run.devices > 1:
            check_accelerator(run.accelerator, run.devices)
            check()
            with _others_started(work, run) as launch:
                return _take_part(work, run, launch)
        return _take_part(work, run, launch)


def _take_part(work: Callable[[Ranks], T], run: RunConfig, launch: Launch | None) -> T:
    with _leave_signals_to_first(launch), open_ranks(run, launch) as ranks:
        return work(ranks)


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Take back what Fabric sets, so that the next run of this process starts afresh."""
    before = {name: os.environ.get(name) for name in _SET_BY_FABRIC}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _leave_signals_to_first(launch: Launch | None) -> Iterator[None]:
    """Ignore SIGINT and SIGTERM in all processes but the first: launchers send them to all, and one must decide.

    While training they are noted everywhere all the same, by the loop.
    """
    if launch is None or launch.rank == 0 or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _others_started(work: Callable[[Ranks], object], run: RunConfig) -> Iterator[Launch]:
    """Start all processes of a run but the first, which this one is."""
    _check_can_be_sent(work)
    port, spawn = find_free_network_port(), multiprocessing.get_context("spawn")
    places = [
        Launch(
            rank=rank, world_size=run.devices, local_rank=rank, local_world_size=run.devices, address="127.0.0.1",
            port=port,
        )
        for rank in range(run.devices)
    ]  # fmt: skip
    others = [spawn.Process(target=_be_started, args=(work, run, place, os.getpid())) for place in places[1:]]
    over = threading.Event()
    try:
        resource_tracker.ensure_running()  # its start would take the block off again
        # A Ctrl-C reaches them too; until they can ignore it, it waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for process in others:
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(target=_watch, args=(others, over), daemon=True).start()
        yield places[0]
    finally:
        over.set()
        _end(others)


def _check_can_be_sent(work: Callable[[Ranks], object]) -> None:
    try:
        pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"the configuration cannot be sent to other processes ({error}); define your region source at the top "
            "level of a module, or start the script with torchrun"
        ) from error


def _be_started(work: Callable[[Ranks], object], run: RunConfig, launch: Launch, parent: int) -> None:
    """The life of a process that `_others_started` starts."""
    live_and_die_with_parent(parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        _take_part(work, run, launch)
    except StoppedElsewhere:
        sys.exit(3)
    except FailedElsewhere as failed:
        if str(failed):
            print(f"rmae: {one_line(failed, longest=LONGEST_SENTENCE)}", file=sys.stderr)
        sys.exit(1)
    except (ValueError, OSError):
        sys.exit(1)  # from before all had met: the first process has the same error, or has gone


def _watch(others: list[SpawnProcess], over: threading.Event) -> None:
    """End this process if another one failed and it does not notice, waiting for that one at the start say."""
    while not over.wait(1.0):
        failed = [rank for rank, process in enumerate(others, start=1) if process.exitcode]
        if failed:
            if not over.wait(_SECONDS_TO_END):
                for process in others:
                    process.kill()
                end_process(f"process {failed[0]} of {len(others) + 1} ended before the others")
            return


def _end(others: list[SpawnProcess]) -> None:
    end = time.monotonic() + _SECONDS_TO_END
    for process in others:
        if process.pid is not None:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
