"""What a run can lose in its middle: a worker, files that it reads, a place to write, the time of day.

python benchmarks/faults/losses.py --injections 5 --json benchmarks/faults/losses.json
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clocks import Clock
from injection import (
    SECONDS_OF_PATIENCE,
    Command,
    Record,
    Violation,
    inject,
    one_sentence,
    require,
    run,
    script,
    wait_until,
)
from rooms import can_mount, with_mounts_of_its_own
from targets import Packing, Regions, Training, take_away, target

Victim = Training | Packing | Regions
_SECONDS_UNTIL_REFUSED = 60.0  # mostly imports, on a busy machine


def worker_killed(victim: Victim, folder: Path, chance: random.Random) -> dict[str, Any]:
    """As the kernel does it where memory runs out: one sentence, and nothing of what was trained is lost."""
    out = folder / "out"
    with Command(victim.command(out), folder) as command:
        wait_until(lambda: victim.is_at_work(out) and bool(command.children()), command, "a worker")
        time.sleep(chance.uniform(0, victim.seconds_at_work / 4))
        children = command.children() if command.process.poll() is None else []
        if not children:
            return {}
        os.kill(chance.choice(children), signal.SIGKILL)
        killed = time.monotonic()
        require(command.ends_within(60), f"{victim.name} does not end when its worker was killed")
        seconds = time.monotonic() - killed
        if command.process.returncode == 0:  # the last batch was there already
            return {}
    sentence = one_sentence(command)
    require("was ended from outside, perhaps because memory ran out" in sentence, f"it says: {sentence}")
    found = victim.check_files(out)
    lost = found.get("updates_lost", 0)
    require(lost == 0, f"{lost} updates are lost with a worker")
    run(victim.command(out), folder)
    victim.check_end(out)
    return {"seconds_to_end": round(seconds, 2), **found}


def files_vanish(victim: Victim, folder: Path, chance: random.Random) -> dict[str, Any]:
    """Files are deleted in mid-run: they are skipped and listed, and the command goes on after a stop, too."""
    out, number = folder / "out", 2 if isinstance(victim, Training) else 15
    with Command(victim.command(out), folder) as command:
        wait_until(lambda: victim.is_at_work(out), command, "the beginning")
        gone = take_away(victim.data, number, chance)
        try:
            time.sleep(chance.uniform(0, victim.seconds_at_work / 4))
            command.process.send_signal(signal.SIGTERM)
            require(command.ends_within(60), "SIGTERM does not end it")
            require(command.process.returncode in (0, 3), f"it fails: {' | '.join(command.complaints)}")
            if command.process.returncode == 0:
                return {}
            run(victim.command(out), folder)
        finally:
            for name, content in gone.items():
                (victim.data / name).write_bytes(content)
    if isinstance(victim, Training):
        lines = (out / "skipped_images.jsonl").read_text().splitlines()
        listed = {line["name"] for line in map(json.loads, lines) if line["reason"] == "the file is missing"}
        require(listed <= gone.keys(), f"{sorted(listed - gone.keys())} are listed as missing, but were there")
        require((out / "report.html").exists(), "there is no report")
        if listed != gone.keys():  # some were read for the last time before: at another moment all are missed
            return {}
        return {"deleted": number, "listed": len(listed)}
    listed, lacking = victim.check_without(out, set(gone))
    return {"deleted": number, "listed": listed, "lacking": lacking} if lacking else {}


def too_many_vanish(victim: Victim, folder: Path, chance: random.Random) -> dict[str, Any]:
    """More files are deleted than may be: one sentence; what was trained stands, and goes on with the files back."""
    out = folder / "out"
    assert isinstance(victim, Training)
    with Command(victim.command(out), folder) as command:
        wait_until(lambda: victim.is_at_work(out), command, "the first checkpoint")
        gone = take_away(victim.data, 30, chance)
        try:
            require(command.ends_within(SECONDS_OF_PATIENCE), "the run does not end")
            if command.process.returncode == 0:
                return {}
            sentence = one_sentence(command)
            require("more than the allowed share" in sentence, f"it says: {sentence}")
            done, kept = victim.updates(out)
            require(done - kept <= victim.interval, f"{done - kept} updates are lost")
        finally:
            for name, content in gone.items():
                (victim.data / name).write_bytes(content)
    run(victim.command(out), folder)
    require((out / "report.html").exists(), "there is no report")
    return {"deleted": 30, "updates_done": done, "updates_lost": done - kept}


def read_only_output(victim: Victim, folder: Path, chance: random.Random) -> dict[str, Any]:
    """Nothing can be written where the output shall be: one sentence, before anything is read or made."""
    del chance
    place = folder / "read-only"
    place.mkdir()
    if can_mount():
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], check=True)
    else:
        place = Path("/proc/sys")  # where nobody can make a file, root neither
    try:
        with Command(victim.command(place / "out"), folder) as command:
            require(command.ends_within(_SECONDS_UNTIL_REFUSED), "a place that is read-only is not refused")
            seconds = time.monotonic() - command.started
    finally:
        if can_mount():
            subprocess.run(["umount", "--lazy", str(place)], check=True)
    sentence = one_sentence(command)
    require(sentence.startswith(f"nothing can be written in {place} ("), f"it says: {sentence}")
    require(not command.printed, f"work was done before: {command.printed.splitlines()[:1]}")
    return {"seconds": round(seconds, 2), "sentence": sentence.replace(str(place), "PLACE")}


def clock_back(victim: Victim, folder: Path, chance: random.Random) -> dict[str, Any]:
    """The clock goes back by a day: nothing is different."""
    out, place = folder / "out", folder / "clock"
    place.mkdir()
    try:
        clock = Clock(place)
    except OSError as error:
        raise Violation(str(error)) from None
    with Command(victim.command(out), folder, environment=clock.variables) as command:
        wait_until(lambda: victim.is_at_work(out), command, "the beginning")
        after = chance.uniform(0, victim.seconds_at_work / 4)
        time.sleep(after)
        clock.put_back()
        require(command.ends_within(SECONDS_OF_PATIENCE), "the command does not end")
        code = command.process.returncode
        require(code == 0, f"it ends with code {code}: {' | '.join(command.complaints)}")
    victim.check_end(out)
    seen = clock.was_seen_going_back
    # Processes that never ask for the time, as those of the other commands do not in their work, cannot see it.
    return {"seconds_at_work_before": round(after, 2), "seen": seen} if seen or not isinstance(victim, Training) else {}


Injection = Callable[[Victim, Path, random.Random], dict[str, Any]]
LOSSES: dict[str, Injection] = {
    "worker killed": worker_killed,
    "files vanish": files_vanish,
    "too many files vanish": too_many_vanish,
    "read-only output": read_only_output,
    "clock goes back": clock_back,
}


def lose(record: Record, workspace: Path, kinds: list[str], num_injections: int) -> bool:
    """Inject every loss so many times into every command; returns whether all is done."""
    for kind in kinds:
        losses = [name for name in LOSSES if kind == "training" or name != "too many files vanish"]
        missing = [
            (name, number)
            for name in losses
            for number in range(len(record.injections(kind=kind, loss=name)), num_injections)
        ]
        victim = None
        for name, number in missing:
            if record.is_time_over:
                return False
            victim = target(kind, workspace / kind) if victim is None else victim
            found = _lose_once(name, number, victim, workspace / kind, record)
            record.add([{"kind": kind, "loss": name, **found}])
            print(f"{kind}, {name} {number + 1}: {found}", flush=True)
    return True


def _lose_once(name: str, number: int, victim: Victim, workspace: Path, record: Record) -> dict[str, Any]:
    for attempt in range(8):
        folder = workspace / f"{name.replace(' ', '_')}_{number}_{attempt}"
        folder.mkdir()
        try:
            found = LOSSES[name](victim, folder, record.chance(victim.name, name, number, attempt))
        except Violation as violation:
            raise Violation(f"{victim.name}, {name}: {violation}") from violation
        if found:
            return found
    raise AssertionError(f"{victim.name} always ended before: {name}")


def main() -> int:
    with_mounts_of_its_own()
    parser = script("Take away what runs need.")
    parser.add_argument("--injections", type=int, default=5, help="of each loss for each command")
    parser.add_argument("--kinds", nargs="+", default=["training", "packing", "regions"])
    flags = parser.parse_args()
    return inject(flags, "losses", lambda record, folder: lose(record, folder, flags.kinds, flags.injections))


if __name__ == "__main__":
    sys.exit(main())
