"""A long training whose memory stays flat, in the process that trains and in its workers.

The training is one process from the beginning to the end: where a call of this script is over before, it trains on, and
the next call with the same record goes on watching it.

python benchmarks/faults/soak.py --minutes 30 --json benchmarks/faults/soak.json
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from injection import Command, Record, inject, require, script, variables_of
from targets import TINY, draw_pictures

from rmae.training.metrics import read_metrics

_SECONDS_BETWEEN_LOOKS = 2.0
_WARM_UP = 0.25  # share of the time in which memory may grow: caches fill, and forked workers get pages of their own
_FLAT_MB, _STEP_MB, _FLAT_FILES = 4.0, 16.0, 4.0
"""Growth from the first to the last third of what follows that passes as flat: what is left of it without its largest
step, that step, and open files. A leak goes on; a table that doubles makes one step, as Python's of interned strings
does, to which each path of a checkpoint adds (it becomes 15 MB)."""
_FEWEST_LOOKS = 5  # in a third of the time
_WORKERS = 2
_FLAGS = (
    "--embed-dim", "32", "--num-workers", str(_WORKERS), "--updates", "100000000", "--clip-grad", "1",
    "--checkpoint-every", "500", "--log-every", "20",
)  # fmt: skip


class Soaked:
    """A training that goes on when this script ends.

    Args:
        note: Where it is written down, so that a later call finds it.
    """

    def __init__(self, note: Path) -> None:
        self._note = note
        noted = json.loads(note.read_text()) if note.exists() else {}
        self.folder, self.pid = Path(noted.get("folder", ".")), int(noted.get("pid", 0))
        self.started, self._mark = float(noted.get("started", 0)), str(noted.get("mark", ""))
        self.is_found = bool(noted) and self._mark.encode() in variables_of(self.pid)

    def begin(self) -> None:
        """Start it anew."""
        if self.pid:  # of a training that was ended from outside
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix="faults-soaked-"))
        data = draw_pictures(self.folder / "data", 60, self.folder)
        command = Command(["pretrain", "--data", str(data), "--out", str(self.out), *TINY, *_FLAGS], self.folder)
        self.pid, self.started, self._mark = command.process.pid, time.monotonic(), command.mark
        noted = {"folder": str(self.folder), "pid": self.pid, "started": self.started, "mark": self._mark}
        self._note.write_text(json.dumps(noted))

    @property
    def out(self) -> Path:
        """Folder of the run."""
        return self.folder / "run"

    @property
    def is_alive(self) -> bool:
        """Whether it trains."""
        return self._mark.encode() in variables_of(self.pid)

    @property
    def minutes(self) -> float:
        """Since its start; a machine that was started anew in between has forgotten it anyway."""
        return (time.monotonic() - self.started) / 60

    def complaint(self) -> str:
        """What it said when it ended."""
        return (self.folder / "stderr.txt").read_text().strip()

    def look(self) -> dict[str, Any] | None:
        """Memory and open files of it and its workers; None before it trains."""
        lines = read_metrics(self.out / "metrics.jsonl")
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        if not lines or len(children) != _WORKERS:
            return None
        processes = {"parent": self.pid, **{f"worker {i}": int(pid) for i, pid in enumerate(sorted(children))}}
        return {
            "minute": round(self.minutes, 3),
            "update": lines[-1]["update"],
            "megabytes": {name: _megabytes(pid) for name, pid in processes.items()},
            "open_files": {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in processes.items()},
        }

    def end(self) -> None:
        """Stop it in order and delete what it made."""
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + 60
        while self.is_alive:
            require(time.monotonic() < end, "SIGTERM does not end it")
            time.sleep(0.1)
        said = self.complaint()
        require(said.startswith("rmae: stopped by SIGTERM after update "), f"it says in the end: {said}")
        shutil.rmtree(self.folder)
        self._note.unlink()


def _megabytes(pid: int) -> float:
    """What belongs to a process alone and its share of what it shares, but for files that it has mapped."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
    require(len(kilobytes) == 2 and sum(kilobytes) > 0, "this kernel does not tell what memory is of files")
    return round(sum(kilobytes) / 1024, 2)


def check_flat(looks: list[dict[str, Any]], minutes: float) -> dict[str, Any]:
    """Compare the first third with the last third of the time after the warm-up; a `Violation` if they differ."""
    begun = looks[0]["minute"]
    third = (1 - _WARM_UP) * (minutes - begun) / 3
    first, last = _between(looks, minutes - 3 * third, third), _between(looks, minutes - third, 2 * third)
    for part in (first, last):
        require(len(part) >= _FEWEST_LOOKS, f"there are only {len(part)} looks in a third of the time")
    watched = _between(looks, minutes - 3 * third, 4 * third)
    growth: dict[str, dict[str, float]] = {}
    for what, unit in (("megabytes", "MB"), ("open_files", "open files")):
        for name in first[0][what]:
            before, after = (round(median(look[what][name] for look in part), 1) for part in (first, last))
            found = growth[f"{name}, {what}"] = {"first_third": before, "last_third": after}
            grown, allowed = after - before, _FLAT_FILES
            if what == "megabytes":
                step = found["largest_step"] = _largest_step(watched, name)
                require(step <= _STEP_MB, f"{name} grew by {step:.1f} MB at once")
                grown, allowed = grown - step, _FLAT_MB
            require(grown <= allowed, f"{name} grew by {grown:.1f} {unit} in {minutes:g} minutes")
    return {"minutes": minutes, "updates": last[-1]["update"], "growth": growth}


def _largest_step(looks: list[dict[str, Any]], name: str) -> float:
    """By how many megabytes a process grew from one look to the next, at most."""
    sizes = [look["megabytes"][name] for look in looks]
    return round(max(after - before for before, after in pairwise(sizes)), 1)


def _between(looks: list[dict[str, Any]], start: float, minutes: float) -> list[dict[str, Any]]:
    return [look for look in looks if start <= look["minute"] < start + minutes]


def soak(record: Record, minutes: float, note: Path, *, stays: bool) -> bool:
    """Watch a training for so long; returns whether the time is over."""
    if record.conclusion.get("minutes", 0) >= minutes:
        return True
    trained = Soaked(note)
    if not trained.is_found:
        record.begin_anew()
        trained.begin()
    looks: list[dict[str, Any]] = []
    try:
        # Where the next call came late, some looks are needed all the same.
        while trained.minutes < minutes or len(looks) <= _FEWEST_LOOKS:
            if record.is_time_over and stays:
                print(f"process {trained.pid} trains on until the next call; to end it: kill {trained.pid}", flush=True)
                return False
            require(trained.is_alive, f"the training has ended: {trained.complaint() if trained.out.exists() else ''}")
            look = trained.look()
            if look is not None:
                looks.append(look)
                if len(looks) % 15 == 1:
                    print(f"minute {look['minute']:.1f}, update {look['update']}: {look['megabytes']}", flush=True)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        findings = check_flat([*record.injections(), *looks], minutes)
        trained.end()
        record.conclude(**findings)
        print(f"{findings['updates']} updates in {minutes:g} minutes: {findings['growth']}", flush=True)
    except BaseException:
        if trained.is_alive:
            os.kill(trained.pid, signal.SIGKILL)
        print(f"what it left is in {trained.folder}", flush=True)
        note.unlink(missing_ok=True)
        raise
    finally:
        record.add(looks)
    return True


def main() -> int:
    parser = script("Train for long and watch the memory.")
    parser.add_argument("--minutes", type=float, default=30)
    flags = parser.parse_args()

    def body(record: Record, folder: Path) -> bool:
        if flags.json is None:
            return soak(record, flags.minutes, folder / "running.json", stays=False)
        note = flags.json.with_name(f".{flags.json.name}.running")
        return soak(record, flags.minutes, note, stays=True)

    return inject(flags, "soak", body)


if __name__ == "__main__":
    sys.exit(main())
