import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rmae.bench import machine


@pytest.fixture(autouse=True)
def git_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that knows no repository or settings but those of the test; a hook of git, say, names its own to all."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit_told_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str | None:
    monkeypatch.setattr(machine, "__file__", str(folder / "machine.py"))
    return machine.source_commit()


def test_the_commit_is_that_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copy(machine.__file__, tmp_path / "machine.py")
    assert commit_told_in(tmp_path, monkeypatch) is None
    git(tmp_path, "init", "--quiet")
    (tmp_path / "other").touch()
    git(tmp_path, "add", "other")
    git(tmp_path, "commit", "--quiet", "--message", "somebody else's")
    assert commit_told_in(tmp_path, monkeypatch) is None  # an environment in a repository that knows nothing of it
    git(tmp_path, "add", "machine.py")
    git(tmp_path, "commit", "--quiet", "--message", "ours")
    commit = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    assert commit_told_in(tmp_path, monkeypatch) == commit
    (tmp_path / "other").write_text("changed")
    assert commit_told_in(tmp_path, monkeypatch) == f"{commit}+"


def test_without_git_no_commit_is_known():
    told = subprocess.run(
        [sys.executable, "-c", "from rmae.bench.machine import source_commit; print(source_commit())"],
        env={"PATH": "", "PYTHONPATH": str(Path(machine.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "None\n"
