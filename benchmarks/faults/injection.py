"""What all scripts of faults share: real commands as processes, invariants, and the record of what was injected."""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from rmae.bench.machine import describe_machine, source_commit
from rmae.files import write_json

DONE, VIOLATED, MORE_TO_DO = 0, 1, 75
"""Exit codes of the scripts; after the last one the same call goes on."""
SECONDS_TO_DIE = 15.0  # that whatever a killed command started may live on
SECONDS_OF_PATIENCE = 300.0  # for a command that nothing disturbs
_PACKAGES = ("torch", "lightning-fabric", "numpy", "safetensors", "numba")
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}  # one thread, so that two runs agree to the bit


class Violation(Exception):
    """What was promised does not hold."""


def require(holds: bool, sentence: str) -> None:
    """Raise a `Violation` with this sentence unless something holds."""
    if not holds:
        raise Violation(sentence)


class Command:
    """A real `rmae` command; whatever is left of it and of what it started ends with the block.

    Args:
        arguments: What follows `rmae`.
        said: Folder for what it prints.
        start: How it is started.
        environment: Variables besides those of this process.
    """

    def __init__(
        self,
        arguments: list[str],
        said: Path,
        *,
        start: tuple[str, ...] = (sys.executable, "-m", "rmae"),
        environment: dict[str, str] | None = None,
    ) -> None:
        # All that it starts inherits this, whatever sessions and parents it has later.
        self.mark = f"INJECTED_INTO={uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self._out, self._err = said / "stdout.txt", said / "stderr.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*start, *arguments],
                stdout=out, stderr=err, start_new_session=True,
                env={**os.environ, **_ENVIRONMENT, **(environment or {}), name: value},
            )  # fmt: skip
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.alive():
            _send(pid, signal.SIGKILL)
        self.process.wait()

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def complaints(self) -> list[str]:
        """The lines on its standard error, but for empty ones."""
        lines = self._err.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip()]

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def alive(self) -> list[int]:
        """It, and the processes that it and its children started, as far as they have not ended."""
        pids = map(int, filter(str.isdigit, os.listdir("/proc")))
        return [pid for pid in pids if self.mark.encode() in variables_of(pid)]

    def children(self) -> list[int]:
        """Processes that the command itself started."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def kill(self, *, with_all: bool) -> None:
        """SIGKILL, to the command alone or to all of its processes, as when a machine kills a job."""
        for pid in self.alive() if with_all else [self.process.pid]:
            _send(pid, signal.SIGKILL)
        self.process.wait()

    def seconds_until_nothing_lives(self) -> float:
        """Wait until nothing that it started lives any more; a `Violation` if something does for long."""
        start = time.monotonic()
        while left := self.alive():
            lived = time.monotonic() - start
            require(lived < SECONDS_TO_DIE, f"{len(left)} processes live {lived:.0f} s after their command was killed")
            time.sleep(0.02)
        return time.monotonic() - start


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended in between


def variables_of(pid: int) -> list[bytes]:
    """The environment with which a process was started; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def run(arguments: list[str], said: Path, **how: Any) -> float:
    """Run a command that nothing disturbs; returns its seconds."""
    with Command(arguments, said, **how) as command:
        require(command.ends_within(SECONDS_OF_PATIENCE), f"{' '.join(arguments)} does not end")
        code = command.process.returncode
        require(code == 0, f"{' '.join(arguments)} ends with code {code}: {' | '.join(command.complaints)}")
        return time.monotonic() - command.started


def run_watched(arguments: list[str], said: Path, has_begun: Callable[[], bool]) -> tuple[float, float]:
    """Run a command that nothing disturbs; returns its seconds until its work has begun, and those after."""
    with Command(arguments, said) as command:
        wait_until(has_begun, command, f"the work of {' '.join(arguments)}")
        begun = time.monotonic()
        require(command.ends_within(SECONDS_OF_PATIENCE), f"{' '.join(arguments)} does not end")
        code = command.process.returncode
        require(code == 0, f"{' '.join(arguments)} ends with code {code}: {' | '.join(command.complaints)}")
        return begun - command.started, time.monotonic() - begun


def wait_until(holds: Callable[[], bool], command: Command, what: str, *, seconds: float = 120.0) -> None:
    """Wait for a command to be so far."""
    end = time.monotonic() + seconds
    while not holds():
        ended = command.process.poll() is not None
        require(not ended and time.monotonic() < end, f"{what} never comes: {' | '.join(command.complaints)}")
        time.sleep(0.005)


def one_sentence(command: Command) -> str:
    """What a command that failed said, if it was one line and its code that of failures."""
    code, said = command.process.returncode, command.complaints
    require(code == 1, f"the command ends with code {code} and not 1: {' | '.join(said)}")
    require(len(said) == 1 and said[0].startswith("rmae: "), f"it does not say one sentence but: {' | '.join(said)}")
    return said[0].removeprefix("rmae: ")


class Record:
    """What was injected and what came of it, as JSON; one that is there already is gone on with.

    Args:
        path: The file; None = nowhere.
        fault: What kind of fault.
        seed: From which moments are drawn.
        stop_after: Minutes after which this call begins nothing new.
    """

    def __init__(self, path: Path | None, fault: str, *, seed: int, stop_after: float) -> None:
        self._path = path
        self._fault, self._seed = fault, seed
        self._start = time.monotonic()
        self._end = self._start + 60 * stop_after
        self._saved: dict[str, Any] = {
            "format": "faults", "version": 1, "fault": fault, "command": _command(), "seed": seed,
            "machine": describe_machine(_PACKAGES), "commits": [], "seconds": 0.0, "violation": None, "injections": [],
        }  # fmt: skip
        if path is not None and path.exists():
            self._saved = json.loads(path.read_text(encoding="utf-8"))
            if (self._saved["fault"], self._saved["seed"]) != (fault, seed):
                raise SystemExit(f"{path} is of {self._saved['fault']}, seed {self._saved['seed']}; take another file")
            if self._saved["violation"] is not None:
                raise SystemExit(f"{path} holds a violation ({self._saved['violation']}); mend it and delete the file")
        self._commit = source_commit()  # once: the record itself is a change, too
        self._seconds_before = self._saved["seconds"]

    @property
    def is_time_over(self) -> bool:
        """Whether nothing new is to be begun."""
        return time.monotonic() >= self._end

    @property
    def conclusion(self) -> dict[str, Any]:
        """What all injections together show; empty until they are all done."""
        return self._saved.get("conclusion", {})

    def injections(self, **facts: Any) -> list[dict[str, Any]]:
        """Those so far of which all these facts are true."""
        return [each for each in self._saved["injections"] if facts.items() <= each.items()]

    def chance(self, *what: object) -> random.Random:
        """Random numbers that depend on the seed and on this alone."""
        return random.Random(" ".join(map(str, (self._seed, *what))))

    def add(self, injections: list[dict[str, Any]]) -> None:
        """Add what was injected and found to be as promised."""
        self._saved["injections"] += injections
        self._save()

    def begin_anew(self) -> None:
        """Forget what was injected."""
        self._saved["injections"] = []

    def conclude(self, **findings: Any) -> None:
        """Note what all injections together show."""
        self._saved["conclusion"] = findings
        self._save()

    def violate(self, sentence: str) -> None:
        """Note what is not as promised."""
        self._saved["violation"] = sentence
        self._save()

    def _save(self) -> None:
        if self._commit not in self._saved["commits"]:
            self._saved["commits"].append(self._commit)
        self._saved["seconds"] = round(self._seconds_before + time.monotonic() - self._start, 1)
        if self._path is not None:
            write_json(self._path, self._saved)


def _command() -> str:
    """What was called, without what only says where and for how long."""
    words, told = sys.argv[1:], [f"python benchmarks/faults/{Path(sys.argv[0]).name}"]
    while words:
        word = words.pop(0)
        if word in ("--json", "--stop-after", "--workspace"):
            words[:1] = []
        else:
            told.append(word)
    return " ".join(told)


def script(description: str) -> argparse.ArgumentParser:
    """The flags that all scripts have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=0, help="random moments depend on it")
    parser.add_argument("--json", type=Path, default=None, help="file of the record; one that is there is gone on with")
    parser.add_argument("--stop-after", type=float, default=8.0, help="minutes after which nothing new is begun")
    parser.add_argument("--workspace", type=Path, default=None, help="folder for scratch files; default: one in /tmp")
    return parser


def inject(flags: argparse.Namespace, fault: str, body: Callable[[Record, Path], bool]) -> int:
    """Run a script; returns its exit code.

    Args:
        flags: Of `script`.
        fault: What kind of fault it injects.
        body: From the record and an empty folder to whether all was injected; raises a `Violation`.
    """
    record = Record(flags.json, fault, seed=flags.seed, stop_after=flags.stop_after)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # no command is left running
    try:
        with tempfile.TemporaryDirectory(prefix=f"faults-{fault}-", dir=flags.workspace) as folder:
            done = body(record, Path(folder))
    except Violation as violation:
        record.violate(str(violation))
        print(f"VIOLATED: {violation}", flush=True)
        return VIOLATED
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"{fault}: {'all was injected' if done else 'there is more to do; the same call goes on'}", flush=True)
    return DONE if done else MORE_TO_DO
