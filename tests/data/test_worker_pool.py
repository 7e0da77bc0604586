import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import torch

from rmae.data.worker_pool import WorkerDiedError, work_in_processes

_LARGE = 50_000_000  # bytes, which take longer to hand over than to make


def square(number: int) -> int:
    return number * number


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_every_item_has_its_result(num_workers: int):
    batches = list(work_in_processes(square, range(50), num_workers=num_workers))
    assert sorted(result for batch in batches for result in batch) == [square(i) for i in range(50)]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("num_workers", [0, 2])
def test_nothing_to_do_is_done(num_workers: int):
    assert list(work_in_processes(square, [], num_workers=num_workers)) == []


def test_what_was_made_before_needs_no_pickling():
    lock = threading.Lock()  # which cannot be pickled
    batches = list(work_in_processes(lambda i: i if lock.acquire(blocking=False) else -1, [3], num_workers=1))
    assert [result for batch in batches for result in batch] == [3]


def test_an_error_of_the_work_is_raised_here():
    def fail(number: int) -> None:
        raise KeyError(f"number {number}")

    with pytest.raises(KeyError, match="number 7"):
        list(work_in_processes(fail, [7], num_workers=1))
    assert multiprocessing.active_children() == []


def test_whoever_waits_is_woken_though_nothing_is_done():
    with closing(work_in_processes(time.sleep, [60], num_workers=1)) as batches:
        started = time.monotonic()
        assert next(batches) == []
    assert time.monotonic() - started < 10
    assert multiprocessing.active_children() == []


def test_a_worker_has_one_thread():
    """As many as there are cores would fight for them, in as many processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        (batch,) = (
            batch for batch in work_in_processes(lambda _: torch.get_num_threads(), [0], num_workers=1) if batch
        )
    finally:
        torch.set_num_threads(before)
    assert batch == [1]


def within(seconds: float, act: Callable[[], Any]) -> None:
    """Do something that must not hang."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive()


def test_leaving_does_not_wait_for_the_rest_of_a_result():
    def leave() -> None:
        for delay in (0.0, 0.01, 0.02, 0.03):
            with closing(work_in_processes(lambda _: bytes(_LARGE), range(4), num_workers=1)) as batches:
                next(batches)
                time.sleep(delay)

    within(60, leave)
    assert multiprocessing.active_children() == []


class EndsItsProcess:
    """Ends its process a moment after it was made ready to be handed over."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return EndsItsProcess, ()


def test_death_while_a_result_is_handed_over_is_noticed():
    """The other worker goes on to live, and would hold the way of the results open for ever."""

    def work(number: int) -> tuple[bytes, EndsItsProcess] | None:
        if number == 0:
            return bytes(10 * _LARGE), EndsItsProcess()
        return time.sleep(60)

    def die() -> None:
        with pytest.raises(WorkerDiedError, match="ended from outside, perhaps because memory ran out"):
            list(work_in_processes(work, range(2), num_workers=2))
        noticed.set()

    noticed = threading.Event()
    within(30, die)
    assert noticed.is_set()
    assert multiprocessing.active_children() == []
