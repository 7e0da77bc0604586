"""One runner in a workspace at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS_FOR_ORPHANS = 10.0  # torch's workers look for their parent every 5 s
_SECONDS_BETWEEN_LOOKS = 0.1


@contextmanager
def locked(workspace: Path) -> Iterator[int]:
    """Keep others out of a workspace, as long as anything that was started in it lives.

    The file has two locks. One belongs to this process and ends with it: whoever else finds it held is told at once.
    The other belongs to the open file, which children are to inherit: those of a runner that was killed end within
    moments, and are waited for.

    Args:
        workspace: The folder.

    Yields:
        Descriptor of the locked file, for children to inherit.

    Raises:
        ValueError: Another process works there.
        OSError: The file cannot be made or locked.
    """
    descriptor = os.open(workspace / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(descriptor, workspace)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, workspace: Path) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise ValueError(
            f"another rmae reproduce works in {workspace}; wait until it ends, or choose another folder (--out)"
        ) from error
    end = time.monotonic() + _SECONDS_FOR_ORPHANS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise ValueError(
                    f"processes of an rmae reproduce that was killed still work in {workspace}; wait until they end"
                ) from error
        time.sleep(_SECONDS_BETWEEN_LOOKS)
