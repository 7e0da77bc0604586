"""Work on many images by many processes, which end with whoever asked for it."""

import os
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from rmae.data.worker_process import live_and_die_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_AHEAD = 4  # for each process, so that none waits
_SECONDS_BETWEEN_BATCHES = 0.5  # at most, so that nothing waits long: what is made for the disk, a person for the end


class WorkerDiedError(OSError):
    """A process that worked on images was ended from outside."""


def work_in_processes(
    work: Callable[[Item], Result], items: Iterable[Item], *, num_workers: int
) -> Generator[list[Result], None, None]:
    """Call a function for each item in forked processes; those end with the iterator.

    Args:
        work: Called in the processes. It is not pickled, so it may hold whatever was made before; results are.
        items: Taken one by one, a few ahead of the results.
        num_workers: Processes; 0 = this one.

    Yields:
        Results in any order, in batches: at least twice a second, so that some are empty; with no processes one by one.

    Raises:
        WorkerDiedError: A process was ended from outside.
    """
    if num_workers == 0:
        for item in items:
            yield [work(item)]
        return
    waiting = iter(items)
    executor = ProcessPoolExecutor(
        num_workers, mp_context=get_context("fork"), initializer=_start_worker, initargs=(work, os.getpid())
    )
    workers: list[BaseProcess] = []
    try:
        running = {executor.submit(_work, item) for item in islice(waiting, num_workers * _ITEMS_AHEAD)}
        workers += (executor._processes or {}).values()
        # Only workers write results. When they are gone, a half of one ends here, and is not waited for.
        executor._result_queue._writer.close()  # pyright: ignore[reportAttributeAccessIssue]
        while running:
            done, running = wait(running, timeout=_SECONDS_BETWEEN_BATCHES, return_when=FIRST_COMPLETED)
            if not (done or all(worker.is_alive() for worker in workers)):
                raise BrokenProcessPool("a process died while it handed over a result")
            running |= {executor.submit(_work, item) for item in islice(waiting, len(done))}
            yield [future.result() for future in done]
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a process that works on images was ended from outside, perhaps because memory ran out; lower "
            "--num-workers or --max-pixels, then go on with the same command"
        ) from error
    finally:
        # At once: what they are doing is of no use any more, and some may wait for a lock that a dead one held.
        for worker in workers:
            worker.kill()
        executor.shutdown(wait=True, cancel_futures=True)


_job: Callable[[Any], Any] | None = None  # of this process, if it is a worker


def _start_worker(work: Callable[[Any], Any], parent: int) -> None:
    global _job
    _job = work
    if "torch" in sys.modules:  # each core has a process; and of threads that were there before the fork none is
        sys.modules["torch"].set_num_threads(1)
    live_and_die_with_parent(parent)


def _work(item: Any) -> Any:
    assert _job is not None
    return _job(item)
