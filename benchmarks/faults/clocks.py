"""A clock that goes back by 26 hours while a command runs, for all of its processes."""

import os
import shutil
import subprocess
import time
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock_back.c")
SECONDS_BACK = 26 * 3600
# Where there is no C compiler, Python's own clock alone goes back: it is read when a process starts.
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

    Args:
        seconds: From now.
        folder: Where what does it is built, once.
    """
    at = {"CLOCK_BACK_AT": str(time.monotonic() + seconds)}
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        (folder / "sitecustomize.py").write_text(_IN_PYTHON)
        return at | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    library = folder / "clock_back.so"
    if not library.exists():
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE)], check=True)
    return at | {"LD_PRELOAD": str(library)}
