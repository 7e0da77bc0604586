"""How a process that another one started lives and ends."""

import os
import signal
import threading
import time

_SECONDS_BETWEEN_LOOKS = 0.5


def live_and_die_with_parent(parent: int) -> None:
    """Leave SIGINT and SIGTERM to the parent, and end when it is gone, even if it was killed.

    Terminals and Slurm send both signals to every process; the parent decides what they mean. A parent that is killed
    cannot end its children, which would wait for work for ever.

    Args:
        parent: The parent's process number, from before this process was started: it may be gone already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
