"""How many pieces run at a time, and on which GPU each."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from itertools import takewhile

_SECONDS_TO_LIST = 60  # a driver that is loaded anew takes some


def open_slots(jobs: int | None, environ: Mapping[str, str]) -> tuple[str | None, ...]:
    """Places in which pieces run.

    Args:
        jobs: How many there are, at least 1; None = one a GPU or, without any, one a core that this process may use.
        environ: Environment of this process; its `CUDA_VISIBLE_DEVICES` is respected.

    Returns:
        For each place its `CUDA_VISIBLE_DEVICES`, the GPUs by turns; None = that of this process, as there is no
        choice.

    Raises:
        ValueError: There is to be no place at all.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}; run at least 1 piece at a time")
    gpus = visible_gpus(environ)
    number = jobs or len(gpus) or len(os.sched_getaffinity(0))
    return tuple(gpus[i % len(gpus)] if len(gpus) > 1 else None for i in range(number))


def visible_gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The GPUs that CUDA would find, as `CUDA_VISIBLE_DEVICES` names them.

    They are asked of nvidia-smi: to import torch and open the driver would take seconds, and memory of every GPU.
    """
    number = _count_gpus(environ)
    if "CUDA_VISIBLE_DEVICES" not in environ:
        return tuple(map(str, range(number)))

    def is_there(name: str) -> bool:
        return int(name) < number if name.isdigit() else number > 0 and name.startswith(("GPU-", "MIG-"))

    # CUDA takes the names that stand before the first that is none: -1 hides whatever follows.
    return tuple(takewhile(is_there, map(str.strip, environ["CUDA_VISIBLE_DEVICES"].split(","))))


def _count_gpus(environ: Mapping[str, str]) -> int:
    program = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if program is None:
        return 0
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=_SECONDS_TO_LIST)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    # Parts of a GPU stand indented below it.
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0
