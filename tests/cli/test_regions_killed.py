"""Making regions while it is killed again and again."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.regions.store import RegionStore

RMAE = Path(sys.executable).with_name("rmae")
SOURCE = "felzenszwalb --scales 100 200 400 800 1600"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty pictures of smooth blotches and noise, and one file that is none."""
    folder = tmp_path_factory.mktemp("killed") / "photographs"
    folder.mkdir()
    for number in range(80):
        generator = np.random.default_rng(number)
        blotches = Image.fromarray(generator.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        pixels = np.asarray(blotches.resize((480, 360), Image.Resampling.BICUBIC)).astype(int)
        noisy = pixels + generator.integers(-12, 13, pixels.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.png")
    (folder / "broken.png").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def undisturbed(photographs: Path) -> RegionStore:
    store = photographs.parent / "undisturbed.regions"
    subprocess.run(command(photographs, store), check=True, stdout=subprocess.DEVNULL)
    return RegionStore(store)


def command(photographs: Path, store: Path) -> list[str | Path]:
    return [RMAE, "regions", "make", photographs, store, "--source", SOURCE, "--num-workers", "2"]


def kill_at(photographs: Path, store: Path, seconds: float) -> bool:
    """Start making and kill it; returns whether it was killed, and not done before."""
    process = subprocess.Popen(command(photographs, store), stdout=subprocess.DEVNULL)
    try:
        return process.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def num_finished(store: Path) -> int:
    """Images that a killed command has left on disk; its last, unfinished transaction is rolled back."""
    if store.exists():
        return RegionStore(store).header.num_images
    partial = store.with_name(f"{store.name}.partial")
    if not partial.exists() or partial.stat().st_size == 0:
        return 0
    connection = sqlite3.connect(partial)
    try:
        tables = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'images'").fetchone()[0]
        return connection.execute("SELECT COUNT(*) FROM images").fetchone()[0] if tables else 0
    finally:
        connection.close()


@pytest.mark.parametrize("num_kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_what_was_killed_again_and_again_ends_with_the_same_store(
    num_kills: int, photographs: Path, undisturbed: RegionStore, tmp_path: Path
):
    generator = np.random.default_rng(num_kills)
    store = tmp_path / "killed.regions"
    finished = [0]
    for _ in range(num_kills):
        kill_at(photographs, store, generator.uniform(0.2, 3.5))
        finished.append(num_finished(store))
    assert finished == sorted(finished), "what was finished once is not made again"
    print(f"images finished after each kill: {finished[1:]}")

    subprocess.run(command(photographs, store), check=True, stdout=subprocess.DEVNULL)

    made = RegionStore(store)
    assert made.header == undisturbed.header
    assert made.names() == undisturbed.names()
    assert made.skipped() == undisturbed.skipped()
    assert set(made.skipped()) == {"broken.png"}
    for name in sorted(made.names()):
        expected = undisturbed.read(name).label_maps()
        np.testing.assert_array_equal(made.read(name).label_maps(), expected, strict=True)
    assert {path.name for path in tmp_path.iterdir()} == {"killed.regions"}


def test_a_killed_command_leaves_no_process_behind(photographs: Path, tmp_path: Path):
    process = subprocess.Popen(command(photographs, tmp_path / "killed.regions"), stdout=subprocess.DEVNULL)
    children: list[str] = []
    deadline = time.monotonic() + 20
    while len(children) < 2 and time.monotonic() < deadline:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert len(children) == 2
    deadline = time.monotonic() + 5
    while any(is_running(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [child for child in children if is_running(child)]


def is_running(process: str) -> bool:
    """Whether a process works or waits; one that has ended but was not waited for does not count."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
