"""What tests of the command line share."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae import cli
from rmae.regions.store import RegionStore


@pytest.fixture(scope="session")
def tiny_flags() -> list[str]:
    """Flags of a run that trains in a moment."""
    return [
        "--img-size", "32", "--patch-size", "8", "--embed-dim", "32", "--depth", "1", "--num-heads", "2",
        "--decoder-embed-dim", "32", "--decoder-depth", "1", "--decoder-num-heads", "2", "--region-embed-dim", "16",
        "--region-encoder-num-heads", "2", "--region-decoder-num-heads", "2", "--crops-per-image", "1",
        "--num-workers", "0", "--batch-size", "4", "--updates", "4", "--log-every", "2", "--checkpoint-every", "2",
    ]  # fmt: skip


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail with an exit code; returns the one line that it says."""

    def run(*arguments: str | Path, code: int) -> str:
        capsys.readouterr()
        assert cli.run([str(argument) for argument in arguments]) == code
        said = capsys.readouterr().err
        assert said.startswith("rmae: ")
        assert said.endswith("\n")
        assert len(said.splitlines()) == 1
        return said.removeprefix("rmae: ").rstrip("\n")

    return run


@pytest.fixture
def done(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed; returns what it prints."""

    def run(*arguments: str | Path) -> str:
        capsys.readouterr()
        assert cli.run([str(argument) for argument in arguments]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return run


@pytest.fixture
def make_store(done: Callable[..., str]) -> Callable[..., RegionStore]:
    """Makes the regions of a folder in this process; returns their store."""

    def make(data: Path, store: Path, *flags: str | Path) -> RegionStore:
        done("regions", "make", data, store, "--num-workers", "0", *flags)
        return RegionStore(store)

    return make


@pytest.fixture(scope="module")
def made_run(tiny_flags: list[str], lasting_photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "run"
    assert cli.run(["pretrain", "--data", str(lasting_photo_folder), "--out", str(out), *tiny_flags]) == 0
    return out


@pytest.fixture
def finished_run(made_run: Path, tmp_path: Path) -> Path:
    """A run of its own for each test, copied from one that was trained once."""
    return Path(shutil.copytree(made_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Of commands run as programs: one thread, so that two runs agree to the bit."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
