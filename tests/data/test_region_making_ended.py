"""Making regions, stopped by signals, or with processes that are killed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from rmae import cli
from rmae.regions.felzenszwalb import felzenszwalb
from rmae.regions.store import RegionStore
from started_commands import started

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
SCALES = (50, 400)


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Patches of random colours under noise, shape (H, W, 3) uint8."""
    generator = np.random.default_rng(seed)
    patches = generator.integers(0, 200, (height // 20 + 1, width // 20 + 1, 3))
    noise = generator.integers(0, 56, (height, width, 3))
    return (patches.repeat(20, 0).repeat(20, 1)[:height, :width] + noise).astype(np.uint8)


def link_many(pixels: np.ndarray, folder: Path, number: int) -> Path:
    photos = folder / "photos"
    photos.mkdir()
    Image.fromarray(pixels).save(folder / "one.png", compress_level=1)
    for i in range(number):
        (photos / f"{i:02d}.png").symlink_to(folder / "one.png")
    return photos


@pytest.fixture
def many_photographs(tmp_path: Path) -> Path:
    """A folder of 20 names of one photograph: a second or two of work for two processes."""
    return link_many(photograph(480, 640), tmp_path, 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "a.regions"


def make_command(folder: Path, path: Path, num_workers: int = 2) -> list[str | Path]:
    source = f"felzenszwalb --scales {' '.join(map(str, SCALES))}"
    return [RMAE, "regions", "make", folder, path, "--source", source, "--num-workers", str(num_workers)]


@contextmanager
def making(folder: Path, path: Path, num_workers: int = 2) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and go on when its first images are on disk."""
    with started(make_command(folder, path, num_workers)) as process:
        wait_for(lambda: num_on_disk(path) > 0)
        time.sleep(0.2)  # what was seen may have been the middle of a commit
        yield process


def num_on_disk(path: Path) -> int:
    """Images that whoever goes on would find finished if the power failed now."""
    with TemporaryDirectory() as folder:
        for file in path.parent.glob("*.partial*"):
            with suppress(FileNotFoundError):
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / f"{path.name}.partial")) as connection:
            try:
                return connection.execute("SELECT COUNT(*) FROM images").fetchone()[0]
            except sqlite3.DatabaseError:  # there is no table yet, or it was written to between two copies
                return 0


def wait_for(condition: Callable[[], bool], *, seconds: float = 30) -> float:
    """Wait until something is so; returns how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        time.sleep(0.03)
    return time.monotonic() - started


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether there is a process that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def finish(folder: Path, path: Path) -> None:
    """Run the command to its end; its store must be right."""
    assert cli.run([str(word) for word in make_command(folder, path)[1:]]) == 0
    expected = felzenszwalb(photograph(480, 640), scales=SCALES)
    store = RegionStore(path)
    assert store.names() == {file.name for file in folder.iterdir()}
    assert store.skipped() == {}
    assert all(np.array_equal(runs.label_maps(), expected) for _, runs in store)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "num_workers"),
    [
        (signal.SIGTERM, 2),
        pytest.param(signal.SIGINT, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 0, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 0, marks=pytest.mark.slow),
    ],
)
def test_a_signal_stops_it_with_nothing_lost(
    number: signal.Signals, num_workers: int, many_photographs: Path, path: Path
):
    with making(many_photographs, path, num_workers) as process:
        workers = workers_of(process)
        os.killpg(process.pid, number)  # as terminals and Slurm do: to the workers, too
        said, complaint = process.communicate(timeout=20)
        assert not any(is_running(worker) for worker in workers)
    assert process.returncode == 3
    done = int(said.splitlines()[-1].split()[2])
    assert 0 < done < 20
    assert complaint.startswith(f"rmae: stopped by {number.name} after regions of {done} of 20 images, ")
    assert complaint.endswith("; the same command goes on\n")
    assert len(complaint.splitlines()) == 1
    assert len(workers) == num_workers
    assert num_on_disk(path) == done
    finish(many_photographs, path)


@pytest.mark.slow
def test_it_stops_without_waiting_for_a_large_image(tmp_path: Path, path: Path):
    folder = link_many(photograph(3000, 4000), tmp_path, 8)
    with started(make_command(folder, path)) as process:
        wait_for(lambda: len(workers_of(process)) == 2 and all(cpu_seconds(pid) > 1 for pid in workers_of(process)))
        workers = workers_of(process)
        process.terminate()
        process.communicate(timeout=3)  # one image takes longer
        assert not any(is_running(worker) for worker in workers)
    assert process.returncode == 3


def cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_what_is_finished_is_on_disk_while_a_large_image_is_at_work(tmp_path: Path, path: Path):
    folder = link_many(photograph(24, 32), tmp_path, 5)
    Image.fromarray(photograph(4000, 4000)).save(folder / "large.png", compress_level=1)
    with started(make_command(folder, path)) as process:
        wait_for(lambda: num_on_disk(path) == 5)
        process.kill()
    assert not path.exists()


@pytest.mark.slow
def test_a_second_signal_is_not_needed_and_does_no_harm(many_photographs: Path, path: Path):
    with making(many_photographs, path) as process:
        workers = workers_of(process)
        process.terminate()
        process.terminate()
        process.communicate(timeout=20)
        wait_for(lambda: not any(is_running(worker) for worker in workers), seconds=3)
    assert process.returncode in (3, -signal.SIGTERM)
    finish(many_photographs, path)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["one", pytest.param("all", marks=pytest.mark.slow)])
def test_death_of_a_worker_is_one_sentence(which: str, many_photographs: Path, path: Path):
    with making(many_photographs, path) as process:
        workers = workers_of(process)
        for worker in workers if which == "all" else workers[:1]:
            os.kill(worker, signal.SIGKILL)  # as the kernel does where memory runs out
        _, complaint = process.communicate(timeout=20)
        assert not any(is_running(worker) for worker in workers)
    assert process.returncode == 1
    assert complaint == (
        "rmae: a process that works on images was ended from outside, perhaps because memory ran out; lower "
        "--num-workers or --max-pixels, then go on with the same command\n"
    )
    assert num_on_disk(path) > 0
    finish(many_photographs, path)


@pytest.mark.slow
def test_death_of_an_idle_worker_does_not_hang_the_others(tmp_path: Path, path: Path):
    """It waits for work with a lock that the other one will want when it is done."""
    folder = link_many(photograph(1500, 2000), tmp_path, 1)
    with started(make_command(folder, path)) as process:
        wait_for(lambda: len(workers_of(process)) == 2 and any(cpu_seconds(pid) > 0.5 for pid in workers_of(process)))
        workers = workers_of(process)
        os.kill(min(workers, key=cpu_seconds), signal.SIGKILL)
        process.communicate(timeout=20)
        assert not any(is_running(worker) for worker in workers)
    assert process.returncode == 1


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(many_photographs: Path, path: Path):
    with making(many_photographs, path) as process:
        workers = workers_of(process)
        process.kill()
        process.wait()
        assert len(workers) == 2
        assert all(is_running(worker) for worker in workers)
        wait_for(lambda: not any(is_running(worker) for worker in workers), seconds=3)
    assert num_on_disk(path) > 0
    finish(many_photographs, path)
