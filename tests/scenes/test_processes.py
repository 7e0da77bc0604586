import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rmae.scenes.processes import work_on_numbers


def square(number: int) -> int:
    return number * number


@pytest.mark.parametrize("num_workers", [0, 1, 3, 20])
@pytest.mark.parametrize("num", [0, 10])
def test_results_come_in_the_order_of_the_numbers(num: int, num_workers: int):
    assert work_on_numbers(square, num, num_workers=num_workers) == [square(i) for i in range(num)]
    assert multiprocessing.active_children() == []


def test_large_results_come_whole_from_processes_of_their_own():
    found = work_on_numbers(lambda number: (os.getpid(), bytes(3_000_000)), 4, num_workers=2)
    assert len({pid for pid, _ in found}) == 2
    assert os.getpid() not in {pid for pid, _ in found}
    assert all(len(content) == 3_000_000 for _, content in found)


def test_what_was_made_before_needs_no_pickling():
    lock = threading.Lock()  # which cannot be pickled
    assert work_on_numbers(lambda number: lock.acquire(blocking=False), 1, num_workers=1) == [True]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_of_the_work_is_raised_here_at_once(num_workers: int):
    def fail(number: int) -> None:
        if number == 1:
            raise FileNotFoundError(2, "No such file or directory", "missing.png")
        if num_workers:
            time.sleep(60)

    with pytest.raises(FileNotFoundError) as raised:
        work_on_numbers(fail, 2, num_workers=num_workers)
    assert raised.value.filename == "missing.png"
    assert multiprocessing.active_children() == []


def test_a_process_that_is_ended_from_outside_is_noticed_at_once():
    def end(number: int) -> None:
        if number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    with pytest.raises(
        OSError, match=r"^a process that composes scenes was ended from outside, perhaps because memory"
    ):
        work_on_numbers(end, 2, num_workers=2)
    assert multiprocessing.active_children() == []


def test_processes_end_with_the_one_that_started_them(tmp_path: Path):
    program = (
        "import os, pathlib, sys, time\n"
        "from rmae.scenes.processes import work_on_numbers\n"
        "note = lambda number: pathlib.Path(sys.argv[1], str(os.getpid())).touch() or time.sleep(0.05)\n"
        "work_on_numbers(note, 10**6, num_workers=2)"
    )
    deadline = time.monotonic() + 30
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as started:
        while len(list(tmp_path.iterdir())) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started.kill()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
