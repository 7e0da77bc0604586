"""The same work on many numbers, by several processes."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

Result = TypeVar("Result")


def work_on_numbers(work: Callable[[int], Result], num: int, *, num_workers: int) -> list[Result]:
    """Call a function for 0, 1, ..., num - 1 in forked processes, which share what was made before.

    Args:
        work: Called in the processes; its results are pickled.
        num: Of calls.
        num_workers: Processes; 0 = this one.

    Returns:
        The results in the order of the numbers.

    Raises:
        OSError: A process was ended from outside.
    """
    if num_workers == 0:
        return [work(number) for number in range(num)]
    context = get_context("fork")
    workers: list[BaseProcess] = []
    waiting: list[Any] = []  # of what is Connection here, and has another name on other systems
    results: dict[int, Result] = {}
    try:
        for first in range(num_workers):
            # Made one by one, so that of each pipe one process alone holds the end that is written to.
            reader, writer = Pipe(duplex=False)
            numbers = range(first, num, num_workers)
            worker = context.Process(target=_work_on_some, args=(work, numbers, reader, writer), daemon=True)
            worker.start()
            writer.close()
            workers.append(worker)
            waiting.append(reader)
        while waiting:
            ready = wait(waiting)
            for reader in [reader for reader in waiting if reader in ready]:
                results.update(_receive(reader))
                waiting.remove(reader)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    return [results[number] for number in range(num)]


def _receive(reader: Connection) -> dict[int, Any]:
    try:
        results, error = reader.recv()
    except EOFError:
        raise OSError(
            "a process that composes scenes was ended from outside, perhaps because memory ran out; take fewer "
            "processes (--num-workers)"
        ) from None
    if error is not None:
        raise error
    return results


def _work_on_some(work: Callable[[int], Result], numbers: range, reader: Connection, writer: Connection) -> None:
    reader.close()  # so that writing fails when nobody reads any more
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to every process; the first one ends the others
    parent = os.getppid()
    results: dict[int, Result] = {}
    try:
        for number in numbers:
            if os.getppid() != parent:  # it was killed, and nobody waits for results
                return
            results[number] = work(number)
    except (OSError, ValueError, MemoryError) as error:
        writer.send(({}, error))
    else:
        writer.send((results, None))
