"""One writer of a store at a time."""

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path


class StoreBusyError(OSError):
    """Another process is writing the store."""


class StoreLock:
    """A lock on a store, held until it is released or its process ends, whatever ends it.

    It has a file of its own: a process loses its locks on a file when it closes that file anywhere, and a store is
    renamed while it is locked. Children that are forked do not hold it, so none keeps it when its parent is killed.

    Args:
        path: The file; deleted when the lock is released.

    Raises:
        StoreBusyError: It is held already.
        OSError: The file cannot be made or locked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        # The system's lock tells only processes apart, and to open and close its file here would end it.
        if _held.setdefault(self._path, self) is not self:
            raise StoreBusyError(f"this process holds {path} already")
        with ExitStack() as undo:
            undo.callback(_held.pop, self._path)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            undo.callback(os.close, self._file)
            self._lock()
            self._undo = undo.pop_all()

    def release(self) -> None:
        """Let go of it, once."""
        self._path.unlink(missing_ok=True)
        self._undo.close()

    def _lock(self) -> None:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise StoreBusyError(f"another process holds {self._path}") from error
        try:
            deleted = not os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            deleted = True
        if deleted:  # by the process that held it until a moment ago
            raise StoreBusyError(f"another process held {self._path} until now")


_held: dict[Path, StoreLock] = {}  # by this process
