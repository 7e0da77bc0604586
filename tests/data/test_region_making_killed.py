"""Making regions with several real commands at once, killed again and again; benchmarks/faults kills a single one."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.regions.store import RegionStore
from started_commands import started

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
_SECONDS = 240  # that a command may take where other work has the cores
SOURCE = "felzenszwalb --scales 50 100 200 400 800 1600"


def write_photographs(folder: Path, number: int, height: int, width: int) -> Path:
    """Patches of random colours under noise, as PNG and JPEG, and two files that are no image."""
    folder.mkdir()
    for i in range(number):
        generator = np.random.default_rng(i)
        patches = generator.integers(0, 200, (height // 20 + 1, width // 20 + 1, 3))
        noise = generator.integers(0, 56, (height, width, 3))
        pixels = (patches.repeat(20, 0).repeat(20, 1)[:height, :width] + noise).astype(np.uint8)
        Image.fromarray(pixels).save(folder / (f"{i:03d}.png" if i % 2 else f"{i:03d}.jpg"))
    for i in (0, number // 2):
        (folder / f"{i:03d} torn.png").write_bytes(b"no image")
    return folder


@contextmanager
def making(folder: Path, store: Path, num_ranks: int) -> Iterator[list[subprocess.Popen[str]]]:
    """The commands of all ranks at work."""
    command = [RMAE, "regions", "make", folder, store, "--source", SOURCE, "--num-workers", str(2 // num_ranks)]
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                started(
                    command,
                    env={**os.environ, "RANK": str(rank), "WORLD_SIZE": str(num_ranks)},
                    stdout=subprocess.DEVNULL,
                )
            )
            for rank in range(num_ranks)
        ]


def make(folder: Path, store: Path, num_ranks: int = 1) -> RegionStore:
    """Make regions without a kill."""
    with making(folder, store, num_ranks) as processes:
        complaints = [process.communicate(timeout=_SECONDS)[1] for process in processes]
    ended = [(process.returncode, said) for process, said in zip(processes, complaints, strict=True)]
    assert ended == [(0, "")] * num_ranks
    return RegionStore(store)


def finished_images(store: Path, scratch: Path) -> set[str]:
    """Names of the images that whoever goes on finds finished, in the store and all that leads to it."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(store.parent, scratch)  # since opening what was killed within a commit takes the commit back
    names = set()
    for file in scratch.iterdir():
        if file.suffix in (".lock", ".partial-journal") or file.stat().st_size == 0:
            continue
        with closing(sqlite3.connect(file)) as connection:
            if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                names |= {name for (name,) in connection.execute("SELECT name FROM images")}
    return names


def wait_for_growth(process: subprocess.Popen[str], store: Path) -> None:
    """Wait until there is more in files of regions than now, or the process has ended: its share may be done."""
    before, since = num_bytes(store), time.monotonic()
    while process.poll() is None and num_bytes(store) <= before:
        assert time.monotonic() - since < _SECONDS
        time.sleep(0.01)


def num_bytes(store: Path) -> int:
    """Size of the store so far, in all its parts."""
    sizes = []
    for file in store.parent.glob("*.partial"):
        with suppress(FileNotFoundError):  # it is whole now
            sizes.append(file.stat().st_size)
    return sum(sizes)


def kill(process: subprocess.Popen[str], store: Path) -> str:
    """Kill a process; returns what it was at."""
    children = ""
    with suppress(FileNotFoundError):  # it has ended
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    process.kill()
    process.communicate()
    if process.returncode == 0:
        return "done"
    assert process.returncode == -signal.SIGKILL
    if any(file.read_bytes()[:1] not in (b"", b"\0") for file in store.parent.glob("*-journal")):
        return "within a commit"
    return "at work" if children else "without workers, before or after its work"


NUM_KILLS, NUM_IMAGES, NUM_RANKS = 5, 40, 2
LATEST = 1.0  # seconds after a process has stored something


@pytest.mark.slow
def test_calls_killed_again_and_again_make_what_an_undisturbed_one_makes(tmp_path: Path):
    folder = write_photographs(tmp_path / "photos", NUM_IMAGES, 480, 640)
    expected = make(folder, tmp_path / "undisturbed" / "a.regions")
    assert expected.header.num_images == NUM_IMAGES
    assert len(expected.skipped()) == 2
    generator = np.random.default_rng(0)
    hits, kills, rounds = Counter(), 0, 0
    while kills < NUM_KILLS or rounds == 0:
        store, known = tmp_path / f"round {rounds}" / "a.regions", set()
        store.parent.mkdir()
        while kills < NUM_KILLS and not store.exists():
            with making(folder, store, NUM_RANKS) as processes:
                for process in processes:
                    wait_for_growth(process, store)
                    time.sleep(generator.uniform(0, LATEST))
                    hits[kill(process, store)] += 1
            now = finished_images(store, tmp_path / "scratch")
            assert now >= known
            known, kills = now, kills + 1
        made = make(folder, store, NUM_RANKS)
        assert made.header == expected.header
        assert made.names() == expected.names() >= known
        assert made.skipped() == expected.skipped()
        for name, runs in made:
            np.testing.assert_array_equal(runs.label_maps(), expected.read(name).label_maps(), strict=True)
        assert [file.name for file in store.parent.iterdir()] == [store.name]
        rounds += 1
    assert hits["at work"] + hits["within a commit"] > 0, f"{kills} kills in {rounds} rounds hit: {dict(hits)}"
