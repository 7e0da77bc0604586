"""Commands that run beside a test, and never longer than it."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def started(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a group of its own; whatever becomes of the test, it ends with all that it started.

    Otherwise a test that fails would wait without limit for a command that nobody stops any more.
    """
    with subprocess.Popen(
        command, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
