"""A piece at work in a process of its own."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from rmae.bench.machine import source_commit
from rmae.reproduction import tied_to_parent
from rmae.reproduction.earlier_starts import earlier_work, make_ready
from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import PieceRecord, write_piece_record

_SECONDS_BETWEEN_RECORDS = 5.0
_MOST_BYTES = 65536  # of a log that are looked through for its last line
_OF_LAUNCHERS = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "TORCHELASTIC_RUN_ID", "SLURM_PROCID",
    "SLURM_LOCALID", "SLURM_STEP_NUM_TASKS",
)  # fmt: skip
"""What torchrun, srun and others say of the runner, each of whose pieces is a whole by itself."""


class StartedPiece:
    """A piece that was started, from nothing or from where earlier starts left it.

    It is cut off from the terminal (setsid), so that Ctrl-C, which goes to all processes there, is left to the runner.
    Whatever it says is added to `logs/NAME.log`.

    Args:
        piece: One that is not done.
        workspace: The folder in which its command runs.
        gpu: Its `CUDA_VISIBLE_DEVICES`; None = this process's.
        lock: Descriptor of a locked file, to be kept open as long as the piece lives.
    """

    def __init__(self, piece: Piece, workspace: Path, *, gpu: str | None, lock: int) -> None:
        self.piece = piece
        self._workspace = workspace
        earlier = earlier_work(piece, workspace)
        self._seconds_before = earlier.seconds
        arguments = make_ready(piece, workspace)
        self.goes_on = arguments != piece.arguments
        """Whether it takes up what an earlier start has begun."""
        commits = [*(earlier.commits if self.goes_on else ()), source_commit()]
        self._commits = tuple(dict.fromkeys(commit for commit in commits if commit is not None))
        self.log = workspace / "logs" / f"{piece.name}.log"
        """Everything that it has said, in this start and in those before."""
        self._began = self._recorded = time.monotonic()
        self._record(finished=False)  # first, so that nothing in the workspace is without a record
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"$ rmae {shlex.join(arguments)}\n".encode())
            self._said_before = log.tell()
            # -P: nothing in the workspace is taken for a module.
            command = [sys.executable, "-P", "-m", "rmae", *arguments]
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", tied_to_parent.__file__, str(os.getpid()), *command],
                cwd=workspace,
                env=_environment(gpu),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )

    @property
    def seconds(self) -> float:
        """How long it has run, over all its starts."""
        return self._seconds_before + time.monotonic() - self._began

    def ended(self) -> int | None:
        """Its exit code, of a signal the negative number, or None while it runs; to be asked every now and then."""
        if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() - self._recorded >= _SECONDS_BETWEEN_RECORDS:
                self._record(finished=False)  # a runner that is killed cannot
            return None
        code = self._bury()
        self._record(finished=code == 0)
        return code

    def ask_to_stop(self) -> None:
        """Ask it to save its state and to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once, whatever state it and the disk are in."""
        if self._process.returncode is None:
            self._process.kill()
            self._bury()

    def last_line(self) -> str:
        """The last line that it has said since its start, or nothing."""
        with self.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._said_before, end - _MOST_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _bury(self) -> int:
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        # Until it is waited for, its group cannot be anybody else's. Its own children must not live on.
        os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _record(self, *, finished: bool) -> None:
        self._recorded = time.monotonic()
        record = PieceRecord(self.piece.arguments, self.seconds, finished, self._commits)
        write_piece_record(self._workspace, self.piece.name, record)


def _environment(gpu: str | None) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in _OF_LAUNCHERS}
    return own | {"PYTHONUNBUFFERED": "1"} | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})
