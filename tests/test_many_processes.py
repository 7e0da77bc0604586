"""Runs of several processes on one machine: the same weights as one process gives, whatever happens to them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from rmae import cli
from rmae.data.layouts import list_images
from rmae.data.order import BatchOrder
from started_commands import started

pytestmark = pytest.mark.slow

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
FLAGS = [
    "--img-size", "32", "--patch-size", "8", "--embed-dim", "32", "--depth", "1", "--num-heads", "2",
    "--decoder-embed-dim", "32", "--decoder-depth", "1", "--decoder-num-heads", "2", "--region-embed-dim", "16",
    "--region-encoder-num-heads", "2", "--region-decoder-num-heads", "2", "--crops-per-image", "1", "--held-out", "0",
    "--num-workers", "0", "--batch-size", "8", "--accumulate", "2", "--base-lr", "0.1", "--precision", "float64",
    "--accelerator", "cpu", "--log-every", "1", "--checkpoint-every", "2",
]  # fmt: skip
SHORT, LONG = ["--updates", "5"], ["--updates", "60"]  # two updates an epoch: all stops are in the middle of one
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
SECONDS = 120  # within which everything here must end
Train = Callable[..., Path]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    for number in range(22):
        noise = np.random.default_rng(number).integers(0, 64, (40, 48, 3))
        noise[:, 24:] += 128
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{number:02}.png")
    return folder


def train_here(data: Path, out: Path, *flags: str) -> Path:
    """Train in this process alone."""
    assert cli.run(["pretrain", "--data", str(data), "--out", str(out), *FLAGS, *flags]) == 0
    return out


@pytest.fixture(scope="module")
def alone(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of one process; not to be changed."""
    return train_here(photos, tmp_path_factory.mktemp("alone") / "run", *SHORT)


@pytest.fixture(scope="module")
def together(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run by two processes that torchrun starts; not to be changed."""
    out = tmp_path_factory.mktemp("together") / "run"
    command = [*TORCHRUN, "--no-python", RMAE, "pretrain", "--data", photos, "--out", out, *FLAGS, *SHORT]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=SECONDS)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("report: ") == 1
    assert "a batch of 8 = 2 processes x 2 steps x 2; learning rate 3.13e-03 = 1.00e-01 x 8 / 256" in ended.stdout
    return out


@pytest.fixture(scope="module")
def unbroken(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A longer run of one process; not to be changed."""
    return train_here(photos, tmp_path_factory.mktemp("unbroken") / "run", *LONG)


def newest(run: Path) -> Path:
    return max((run / "checkpoints").iterdir())


def assert_same_weights(ours: Path, theirs: Path) -> None:
    """Every parameter to 1e-10 of its tensor's largest value."""
    assert newest(ours).name == newest(theirs).name
    found, expected = (load_file(newest(run) / "model.safetensors") for run in (ours, theirs))
    assert found.keys() == expected.keys()
    names = [name for name in expected if name.startswith("model.")]
    assert {found[name].dtype for name in names} == {torch.float64}
    for name in names:
        assert (found[name] - expected[name]).abs().max() <= 1e-10 * expected[name].abs().max(), name


def logged(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def without_last_checkpoint(run: Path, copy: Path) -> Path:
    shutil.copytree(run, copy)
    shutil.rmtree(newest(copy))
    return copy


def test_two_processes_train_as_one(alone: Path, together: Path):
    assert_same_weights(together, alone)
    for ours, theirs in zip(logged(together), logged(alone), strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-6)  # logged in float32
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-6)
    assert {path.name for path in together.iterdir()} == {path.name for path in alone.iterdir()}


def test_a_run_of_two_processes_goes_on_with_one(together: Path, alone: Path, tmp_path: Path):
    run = without_last_checkpoint(together, tmp_path / "run")
    assert newest(run).name == "update_000000004"
    assert cli.run(["pretrain", "--resume", "--out", str(run)]) == 0
    assert_same_weights(run, alone)


def test_a_run_of_one_process_goes_on_with_two(alone: Path, tmp_path: Path):
    run = without_last_checkpoint(alone, tmp_path / "run")
    ended = subprocess.run(
        [RMAE, "pretrain", "--resume", "--out", run, "--devices", "2", "--accumulate", "1"],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=SECONDS,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("report: ") == 1
    assert_same_weights(run, alone)


@contextmanager
def two_at_work(photos: Path, out: Path, *flags: str, until: int = 7) -> Iterator[subprocess.Popen[str]]:
    """A longer run of two processes that has trained for some updates."""
    command = [RMAE, "pretrain", "--data", photos, "--out", out, *FLAGS, *LONG, "--devices", "2", *flags]
    with started(command, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith(f"update {until:>2}/60"))
        yield process


def child_of(process: subprocess.Popen[str]) -> int:
    """The process that trains beside the first one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [child] = [int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    return child


def goes_on_as_if_nothing_had_been(run: Path, unbroken: Path) -> None:
    assert newest(run).name < "update_000000060"
    assert cli.run(["pretrain", "--resume", "--out", str(run), "--devices", "1"]) == 0
    assert_same_weights(run, unbroken)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_to_all_processes_stop_them_with_their_state_saved(
    number: signal.Signals, photos: Path, unbroken: Path, tmp_path: Path
):
    with two_at_work(photos, tmp_path / "run") as process:
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 3
    assert said.startswith(f"rmae: stopped by {number.name} after update ")
    assert len(said.splitlines()) == 1
    goes_on_as_if_nothing_had_been(tmp_path / "run", unbroken)


def test_a_signal_to_the_first_process_stops_all_at_the_next_checkpoint(photos: Path, tmp_path: Path):
    with two_at_work(photos, tmp_path / "run", "--log-every", "31", until=31) as process:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 3
    stopped = re.fullmatch(r"rmae: stopped by SIGTERM after update (\d+) of 60\n", said)
    assert stopped is not None
    assert int(stopped[1]) % 2 == 0


def test_the_death_of_another_process_ends_the_first(photos: Path, unbroken: Path, tmp_path: Path):
    with two_at_work(photos, tmp_path / "run") as process:
        os.kill(child_of(process), signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == (
        "rmae: another process was ended from outside, perhaps because memory ran out; go on with --resume\n"
    )
    goes_on_as_if_nothing_had_been(tmp_path / "run", unbroken)


def test_the_death_of_the_first_process_ends_the_others(photos: Path, tmp_path: Path):
    with two_at_work(photos, tmp_path / "run") as process:
        child = Path(f"/proc/{child_of(process)}")
        process.kill()
        end = time.monotonic() + 60
        while child.exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert not child.exists()


BROKEN = """
import os, sys
from rmae import cli
from rmae.training.step import PretrainStep

calls, forward = [], PretrainStep.forward

def broken(self, *batch):
    calls.append(None)
    losses = forward(self, *batch)
    if os.environ["RANK"] == "1" and len(calls) == 6:
        {what}
    return losses

PretrainStep.forward = broken
sys.exit(cli.run(sys.argv[1:]))
"""


NOT_SET_UP = """
import os, sys
from rmae import cli
from rmae.training import loop

build_model = loop.build_model

def broken(*arguments, **settings):
    if os.environ["RANK"] == "1":
        raise OSError("the device is taken")
    return build_model(*arguments, **settings)

loop.build_model = broken
sys.exit(cli.run(sys.argv[1:]))
"""


def run_script(text: str, photos: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """A run of two processes that fails; returns its folder and what it says."""
    script, out = tmp_path / "broken.py", tmp_path / "run"
    script.write_text(text)
    flags = [*FLAGS, "--checkpoint-every", "1", "--log-every", "5", *SHORT]
    ended = subprocess.run(
        [*TORCHRUN, script, "pretrain", "--data", photos, "--out", out, *flags],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=SECONDS,
    )  # fmt: skip
    assert ended.returncode == 1
    return out, [line for line in ended.stderr.splitlines() if line.startswith("rmae: ")]


def run_broken(what: str, photos: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """The same where the second process does something in its sixth step."""
    return run_script(BROKEN.format(what=what), photos, tmp_path)


def test_a_process_that_cannot_be_set_up_ends_those_that_wait_for_it(photos: Path, tmp_path: Path):
    _, said = run_script(NOT_SET_UP, photos, tmp_path)
    assert said == ["rmae: process 1: the device is taken"]


def test_a_bad_loss_of_one_process_stops_all_before_it_reaches_the_weights(photos: Path, tmp_path: Path):
    run, said = run_broken("losses = losses._replace(total=losses.total * float('nan'))", photos, tmp_path)
    [sentence] = said
    assert sentence.startswith("rmae: the loss was not finite at update 3 (pixel loss ")
    assert newest(run).name == "update_000000002"
    assert all(tensor.isfinite().all() for tensor in load_file(newest(run) / "model.safetensors").values())


def test_an_error_of_one_process_is_told_once_and_ends_all(photos: Path, tmp_path: Path):
    run, said = run_broken("raise OSError('the disk is gone')", photos, tmp_path)
    assert said == ["rmae: process 1: the disk is gone"]
    assert newest(run).name == "update_000000002"


def test_images_that_another_process_cannot_read_are_listed_once_and_counted(photos: Path, tmp_path: Path):
    data, out = Path(shutil.copytree(photos, tmp_path / "photos")), tmp_path / "run"
    order = BatchOrder(
        num_samples=22, batch_size=8, steps_per_update=2, rank=1, world_size=2, seed=0, first_update=0, num_updates=5
    )
    name = list_images(data).names[next(iter(order))[0].index]  # the first that the second process reads
    (data / name).write_bytes(b"no image")
    command = [
        RMAE, "pretrain", "--data", data, "--out", out, *FLAGS, *SHORT, "--task", "mae", "--max-bad-share", "0.5",
        "--devices", "2",
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=SECONDS)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [json.loads(line)["name"] for line in (out / "skipped_images.jsonl").read_text().splitlines()] == [name]
    assert [line["skipped"] for line in logged(out)] == [1] * 5


@pytest.mark.parametrize("start", [[RMAE], [*TORCHRUN, "--no-python", RMAE]], ids=["devices", "torchrun"])
def test_what_is_wrong_before_training_is_told_once(start: list[str], photos: Path):
    devices = ["--devices", "2"] if start == [RMAE] else []
    ended = subprocess.run(
        [*start, "pretrain", "--data", photos, "--out", photos, *FLAGS, *devices],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=SECONDS,
    )  # fmt: skip
    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if not devices or line]
    [sentence] = said if devices else [line for line in said if line.startswith("rmae: ")]
    assert sentence.startswith(f"rmae: the run folder {photos} is not empty")
