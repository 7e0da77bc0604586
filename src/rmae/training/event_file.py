"""What TensorBoard shows of a run: a file of events for each start, written at once and in order."""

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

# protobuf makes the classes of these modules when they are imported.
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter

from rmae.files import naming

_PREFIX = "events.out.tfevents"  # by which TensorBoard knows its files


class EventFile:
    """Scalars of one start of a run.

    torch's own writer does the same in a thread, whose errors nobody can catch, and which waits for a clock that may be
    set back; and TensorBoard reads files in the order of their names, which that writer takes from the clock, too.

    Args:
        folder: Where the files of all starts of the run are.
        first_step: TensorBoard forgets what earlier starts wrote from this step on.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{_PREFIX}.{_next_number(folder):010d}.{socket.gethostname()}.{os.getpid()}"
        start = SessionLog(status=SessionLog.START)
        self._append(
            Event(wall_time=time.time(), file_version="brain.Event:2"),
            Event(wall_time=time.time(), step=first_step, session_log=start),
        )

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add what was measured at a step, by name.

        Raises:
            OSError: The file cannot be written.
        """
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._append(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _append(self, *events: Event) -> None:
        records = io.BytesIO()
        for event in events:
            RecordWriter(records).write(event.SerializeToString())
        self._path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have cleared up
        with naming(self._path), self._path.open("ab") as file:
            file.write(records.getvalue())


def _next_number(folder: Path) -> int:
    """The time in seconds, unless the clock was set back since an earlier start."""
    numbers = [path.name.removeprefix(f"{_PREFIX}.").split(".")[0] for path in folder.glob(f"{_PREFIX}.*")]
    return max([int(time.time()), *(int(number) + 1 for number in numbers if number.isdecimal())])
