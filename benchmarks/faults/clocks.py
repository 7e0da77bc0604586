"""A clock that goes back by 26 hours while a command runs, for all of its processes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SECONDS_BACK = 26 * 3600
_SOURCE = Path(__file__).with_name("clock_back.c")
_IN_PYTHON = f"""
import os, time

_time, _time_ns = time.time, time.time_ns

def _taken_off():
    return {SECONDS_BACK} if time.monotonic() >= float(os.environ["CLOCK_BACK_AT"]) else 0

time.time = lambda: _time() - _taken_off()
time.time_ns = lambda: _time_ns() - _taken_off() * 10**9
"""


def clock_back_in(seconds: float, folder: Path) -> dict[str, str]:
    """Variables of the environment that let the clock go back.

    The C library's clock goes back. Where that cannot be (no compiler, a program linked statically, a folder that
    nothing is loaded from), Python's own does: every Python process reads the code for it when it starts.

    Args:
        seconds: From now.
        folder: Where what does it is built.

    Raises:
        OSError: neither clock goes back here; says what each one did.
    """
    found = []
    for way in (_in_c, _in_python):
        variables, problem = way(folder)
        if not problem:
            back, problem = _seconds_back(variables)
            if back > SECONDS_BACK - 60:
                return variables | {"CLOCK_BACK_AT": str(time.monotonic() + seconds)}
            problem = f"it goes back by {back:.0f} s; {problem}"
        found.append(f"{way.__name__.removeprefix('_in_')}: {problem}")
    raise OSError(f"no clock goes back on this machine ({' | '.join(found)})")


def _in_c(folder: Path) -> tuple[dict[str, str], str]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return {}, "no compiler"
    library = folder / "clock_back.so"
    if not library.exists():
        build = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"]
        built = subprocess.run(build, capture_output=True, text=True, check=False)
        if built.returncode:
            return {}, built.stderr.strip()
    return {"LD_PRELOAD": _put_before("LD_PRELOAD", library)}, ""


def _in_python(folder: Path) -> tuple[dict[str, str], str]:
    (folder / "sitecustomize.py").write_text(_IN_PYTHON)
    return {"PYTHONPATH": _put_before("PYTHONPATH", folder)}, ""


def _put_before(variable: str, path: Path) -> str:
    return os.pathsep.join(filter(None, [str(path), os.environ.get(variable)]))


def _seconds_back(variables: dict[str, str]) -> tuple[float, str]:
    """How far the clock goes back for a process with these variables, and what it complained of."""
    ask = [sys.executable, "-c", "import time; print(time.time())"]
    usual, changed = (
        subprocess.run(ask, env=os.environ | more, capture_output=True, text=True, check=False)
        for more in ({}, variables | {"CLOCK_BACK_AT": "0"})
    )
    if usual.returncode or changed.returncode:
        return 0.0, changed.stderr.strip() or usual.stderr.strip()
    return float(usual.stdout) - float(changed.stdout), changed.stderr.strip()
