"""Disks that run full: a small file system of its own, or a limit to the size of files."""

import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from injection import Command

_CHUNK = 1 << 16


class Room(Protocol):
    """Where a command writes until there is no more room."""

    kind: str
    path: Path

    def close(self, command: Command, leave: int) -> None:
        """Leave room for so many bytes."""
        ...

    def open(self) -> None:
        """Make room again."""
        ...

    def end(self) -> None:
        """Delete everything."""
        ...


class SmallDisk:
    """A tmpfs of its own, which a file can fill."""

    kind = "full disk"

    def __init__(self, path: Path, megabytes: int = 256) -> None:
        self.path = path
        self._filler = path / "filler"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], check=True)

    def close(self, command: Command, leave: int) -> None:
        """Fill it up but for so many bytes."""
        del command
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(_CHUNK)):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - leave))

    def open(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def end(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)  # what was killed may not be gone yet
        self.path.rmdir()


class LimitedFiles:
    """A folder, and a limit to the size of every file that a command writes: a quota, as it were."""

    kind = "file-size limit"

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def close(self, command: Command, leave: int) -> None:
        """Forbid the process that writes to write beyond so many bytes of any file, but leave room for what it says."""
        limit = max(leave, _CHUNK)
        resource.prlimit(command.process.pid, resource.RLIMIT_FSIZE, (limit, limit))

    def open(self) -> None:
        """Nothing: the limit ended with the command."""

    def end(self) -> None:
        """Delete it."""
        shutil.rmtree(self.path)


def kinds_of_rooms() -> tuple[type[SmallDisk] | type[LimitedFiles], ...]:
    """What is possible here."""
    return (SmallDisk, LimitedFiles) if can_mount() else (LimitedFiles,)


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    probe = Path(f"/tmp/mount-probe-{os.getpid()}-{random.getrandbits(32)}")
    probe.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(probe)], capture_output=True, check=False)
        if mounted.returncode == 0:
            subprocess.run(["umount", str(probe)], check=True)
        return mounted.returncode == 0
    except FileNotFoundError:
        return False
    finally:
        probe.rmdir()


def with_mounts_of_its_own() -> None:
    """Start this script anew where it may mount file systems, as root or as its own user's, if it may not yet.

    What is mounted there is seen by this script and its commands alone, and ends with them.
    """
    if os.environ.get("IN_OWN_NAMESPACE"):
        return
    unshare = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
    try:
        possible = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return
    if possible:
        os.environ["IN_OWN_NAMESPACE"] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
