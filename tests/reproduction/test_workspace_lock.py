import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmae.reproduction import workspace_lock
from rmae.reproduction.workspace_lock import locked

HOLD = """
import sys, time
from pathlib import Path
from rmae.reproduction.workspace_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def hold(workspace: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, workspace], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_another_runner_is_told_at_once_and_goes_on_later(tmp_path: Path):
    with hold(tmp_path) as other:
        started = time.monotonic()
        with pytest.raises(ValueError, match="another rmae reproduce works in") as refused, locked(tmp_path):
            pass
        assert time.monotonic() - started < 1
        assert str(refused.value) == (
            f"another rmae reproduce works in {tmp_path}; wait until it ends, or choose another folder (--out)"
        )
        other.kill()
    with locked(tmp_path):
        pass


def orphan(lock: int, seconds: float) -> "subprocess.Popen[bytes]":
    """A process that lives for some seconds and keeps the file open."""
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"], pass_fds=(lock,))


def test_children_of_a_killed_runner_are_waited_for(tmp_path: Path):
    with locked(tmp_path) as lock:
        child = orphan(lock, 1.0)
    with child, locked(tmp_path):
        assert child.poll() == 0


def test_children_that_live_on_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workspace_lock, "_SECONDS_FOR_ORPHANS", 0.2)
    with locked(tmp_path) as lock:
        child = orphan(lock, 60)
    sentence = f"processes of an rmae reproduce that was killed still work in {tmp_path}; wait until they end"
    with child:
        with pytest.raises(ValueError, match=sentence), locked(tmp_path):
            pass
        child.kill()


def test_no_descriptor_is_left_open(tmp_path: Path):
    before = os.listdir("/proc/self/fd")
    with locked(tmp_path):
        pass
    assert os.listdir("/proc/self/fd") == before
