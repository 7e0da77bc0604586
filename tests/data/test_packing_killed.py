"""Packing with the real command: stopped, robbed of a worker, and shared; benchmarks/faults kills it."""

import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rmae
from packed_folders import contents
from started_commands import started

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
Command = AbstractContextManager[subprocess.Popen[str]]
NUM_IMAGES = 24
SCALES = (50, 100, 200, 400, 800)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Patches of random colours under noise, and two files that are no image."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(NUM_IMAGES):
        generator = np.random.default_rng(i)
        patches = generator.integers(0, 200, (13, 17, 3)).repeat(20, 0).repeat(20, 1)
        pixels = (patches + generator.integers(0, 56, patches.shape)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03d}.png", compress_level=1)
    for i in (0, NUM_IMAGES // 2):
        (folder / f"{i:03d} torn.png").write_bytes(b"no image")
    return folder


def packing(photographs: Path, out: Path, num_workers: int = 2, **environment: str) -> Command:
    """The command at work."""
    return started(
        [RMAE, "pack", photographs, out, "--regions", f"felzenszwalb --scales {' '.join(map(str, SCALES))}",
         "--images-per-shard", "8", "--short-side", "140", "--num-workers", str(num_workers)],
        env={**os.environ, **environment},
    )  # fmt: skip


def pack(photographs: Path, out: Path) -> None:
    """Pack without a kill."""
    regions = rmae.Felzenszwalb(scales=SCALES)
    assert rmae.pack(photographs, out, regions=regions, images_per_shard=8, short_side=140, num_workers=2) == out


def wait_for(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_stops_it_and_the_same_command_goes_on(number: signal.Signals, photographs: Path, tmp_path: Path):
    pack(photographs, tmp_path / "undisturbed")
    out = tmp_path / "packed"
    with packing(photographs, out) as process:
        wait_for((out / "shard-000000.tar").exists)
        os.killpg(process.pid, number)  # as terminals and Slurm do: to the workers, too
        said, complaint = process.communicate(timeout=20)
    assert process.returncode == 3
    done = int(said.splitlines()[-1].split()[1])
    assert 7 <= done < NUM_IMAGES
    assert complaint.startswith(f"rmae: stopped by {number.name} after packed {done} of {NUM_IMAGES + 2} images, 1 ski")
    assert complaint.endswith("; the same command goes on\n")
    assert len(complaint.splitlines()) == 1
    assert not (out / "index.safetensors").exists()
    pack(photographs, out)
    assert contents(out) == contents(tmp_path / "undisturbed")


@pytest.mark.slow
def test_death_of_a_worker_is_one_sentence(photographs: Path, tmp_path: Path):
    out = tmp_path / "packed"
    with packing(photographs, out) as process:
        wait_for(lambda: size_of(out / "shard-000000.tar.partial") or (out / "shard-000000.tar").exists())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_for(lambda: len(children.read_text().split()) == 2)
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)  # as the kernel does where memory runs out
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 1
    assert complaint == (
        "rmae: a process that works on images was ended from outside, perhaps because memory ran out; lower "
        "--num-workers or --max-pixels, then go on with the same command\n"
    )


def share(photographs: Path, out: Path, rank: int, names: tuple[str, str] = ("RANK", "WORLD_SIZE")) -> Command:
    return packing(photographs, out, num_workers=1, **{names[0]: str(rank), names[1]: "2"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [("RANK", "WORLD_SIZE"), pytest.param(("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"), marks=pytest.mark.slow)]
)
def test_processes_started_at_once_pack_one_data_set(names: tuple[str, str], photographs: Path, tmp_path: Path):
    pack(photographs, tmp_path / "alone")
    out = tmp_path / "packed"
    with share(photographs, out, 0, names) as first, share(photographs, out, 1, names) as second:
        processes = (first, second)
        complaints = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], complaints
    assert complaints == ["", ""]
    assert contents(out) == contents(tmp_path / "alone")


@pytest.mark.slow
def test_a_share_is_gone_on_with_by_whoever_comes(photographs: Path, tmp_path: Path):
    pack(photographs, tmp_path / "alone")
    out = tmp_path / "packed"
    with share(photographs, out, 1) as process:
        said, _ = process.communicate(timeout=120)
    assert said.splitlines()[-1] in ("", "this share is done; the last process to finish writes the index")
    assert process.returncode == 0
    assert not (out / "index.safetensors").exists()
    assert (out / "shard-000001.tar").exists()
    assert not (out / "shard-000000.tar").exists()
    with share(photographs, out, 0) as process:
        wait_for((out / "shard-000000.tar").exists)
        process.kill()
    pack(photographs, out)
    assert contents(out) == contents(tmp_path / "alone")
