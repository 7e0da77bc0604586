import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmae.regions.store_lock import StoreBusyError, StoreLock

HOLD = """
import sys
import time
from pathlib import Path
from rmae.regions.store_lock import StoreLock
lock = StoreLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds a lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_it_is_held_once_and_leaves_nothing(tmp_path: Path):
    path = tmp_path / "a.lock"
    for _ in range(2):
        lock = StoreLock(path)
        for _ in range(2):
            with pytest.raises(StoreBusyError, match=r"this process holds .* already"):
                StoreLock(path)
        lock.release()
        assert not path.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_freed_when_its_process_is_ended(number: signal.Signals, tmp_path: Path):
    path = tmp_path / "a.lock"
    with hold(path) as process:
        for _ in range(3):  # looking at it does not free it
            with pytest.raises(StoreBusyError, match="another process holds"):
                StoreLock(path)
        process.send_signal(number)
    assert path.exists()
    StoreLock(path).release()
    assert not path.exists()


def test_children_do_not_keep_it(tmp_path: Path):
    """As workers would that outlive a killed process for a moment."""
    path = tmp_path / "a.lock"
    read_end, write_end = os.pipe()  # the child ends when all writing ends are closed
    held = HOLD.replace("print", f"import os\nif os.fork() == 0: os.read({read_end}, 1); os._exit(0)\nprint")
    with subprocess.Popen(
        [sys.executable, "-c", held, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[read_end]
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        process.kill()
        process.wait()
        StoreLock(path).release()
        assert Path(f"/proc/{child}").exists()
        os.close(write_end)
    os.close(read_end)


def test_it_is_of_the_file_that_is_there_now(tmp_path: Path):
    """A process may lock a file that its last holder is about to delete; another one then makes a new file."""
    path = tmp_path / "a.lock"
    with hold(path) as process:
        path.rename(tmp_path / "deleted")
        lock = StoreLock(path)
        assert process.stdin is not None
        process.stdin.close()
    with pytest.raises(StoreBusyError):
        StoreLock(path)
    lock.release()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no_such_folder/a\.lock"):
        StoreLock(tmp_path / "no_such_folder" / "a.lock")


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path):
    for _ in range(2):  # the first attempt leaves nothing that the second would find held
        with pytest.raises(IsADirectoryError):
            StoreLock(tmp_path)


@pytest.mark.parametrize("seconds", [0.5, pytest.param(10, marks=pytest.mark.slow)])
def test_processes_that_race_for_it_hold_it_one_at_a_time(seconds: float, tmp_path: Path):
    def race() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                lock = StoreLock(tmp_path / "a.lock")
            except StoreBusyError:
                continue
            (tmp_path / "alone").mkdir()  # an error if it is there
            (tmp_path / "alone").rmdir()
            lock.release()

    racers = [multiprocessing.get_context("fork").Process(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * 4
    assert list(tmp_path.iterdir()) == []
