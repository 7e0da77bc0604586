"""What a measurement was made on."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def describe_machine(packages: tuple[str, ...]) -> dict[str, Any]:
    """Describe the machine, the versions and the commit that a measurement belongs to.

    Args:
        packages: Names of the packages whose versions matter.

    Returns:
        What `json.dumps` takes; None for what cannot be found out.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "commit": source_commit(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def source_commit() -> str | None:
    """Commit of the source, with a plus if it was changed since; None where no repository has it, or git is missing."""
    # An environment may lie in somebody else's repository, which says nothing about this file.
    if _ask_git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _ask_git("describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+")


def _ask_git(*words: str) -> str | None:
    """What git says beside this file; None where it has nothing to say."""
    try:
        said = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip() or None
