"""A clock that goes back by 26 hours in the middle of a command, for all of its processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SECONDS_BACK = 26 * 3600
_SOURCE = Path(__file__).with_name("clock_back.c")
_IN_PYTHON = f"""
import os, time

_time, _time_ns = time.time, time.time_ns
_asked = _gone_back = False

def _taken_off():
    global _asked, _gone_back
    file = os.environ.get("CLOCK_BACK_FILE", "")
    if not _gone_back and os.path.exists(file):
        _gone_back = True
        if _asked:
            open(file + ".seen", "w").close()
    _asked = True
    return {SECONDS_BACK} if _gone_back else 0

time.time = lambda: _time() - _taken_off()
time.time_ns = lambda: _time_ns() - _taken_off() * 10**9
"""


class Clock:
    """A clock for the processes of a command, which can be put back while they run.

    The C library's clock goes back. Where that cannot be (no compiler, a program linked statically, a folder that
    nothing is loaded from), Python's own does: every Python process reads the code for it when it starts.

    Args:
        folder: An empty one for what it needs.

    Raises:
        OSError: No clock goes back here; says what each way did.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "back"
        found = []
        for way in (_in_c, _in_python):
            variables, problem = way(folder)
            if not problem:
                back, problem = _seconds_back(variables, folder / "tried")
                if back > SECONDS_BACK - 60:
                    self.variables = variables | {"CLOCK_BACK_FILE": str(self._file)}
                    return
                problem = f"it goes back by {back:.0f} s; {problem}"
            found.append(f"{way.__name__.removeprefix('_in_')}: {problem}")
        raise OSError(f"no clock goes back on this machine ({' | '.join(found)})")

    variables: dict[str, str]
    """Variables of the environment that a command needs for it."""

    def put_back(self) -> None:
        """Let it go back."""
        self._file.touch()

    @property
    def was_seen_going_back(self) -> bool:
        """Whether a process asked for the time before and after."""
        return self._file.with_name(f"{self._file.name}.seen").exists()


def _in_c(folder: Path) -> tuple[dict[str, str], str]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return {}, "no compiler"
    library = folder / "clock_back.so"
    if set(str(library)) & set(" :"):
        return {}, f"{library} has spaces or colons, which end a name in LD_PRELOAD"
    if not library.exists():
        seconds = f"-DSECONDS_BACK={SECONDS_BACK}"
        build = [compiler, "-shared", "-fPIC", "-O2", seconds, "-o", str(library), str(_SOURCE), "-ldl"]
        built = subprocess.run(build, capture_output=True, text=True, check=False)
        if built.returncode:
            return {}, built.stderr.strip()
    return {"LD_PRELOAD": _put_before("LD_PRELOAD", library)}, ""


def _in_python(folder: Path) -> tuple[dict[str, str], str]:
    (folder / "sitecustomize.py").write_text(_IN_PYTHON)
    return {"PYTHONPATH": _put_before("PYTHONPATH", folder)}, ""


def _put_before(variable: str, path: Path) -> str:
    return os.pathsep.join(filter(None, [str(path), os.environ.get(variable)]))


def _seconds_back(variables: dict[str, str], file: Path) -> tuple[float, str]:
    """How far the clock goes back for a process with these variables, and what it complained of."""
    file.unlink(missing_ok=True)
    ask = f"import time; before = time.time(); open({str(file)!r}, 'w').close(); print(before - time.time())"
    told = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | variables | {"CLOCK_BACK_FILE": str(file)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return (0.0 if told.returncode else float(told.stdout)), told.stderr.strip()
