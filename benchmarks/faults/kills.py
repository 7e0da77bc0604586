"""SIGKILL at random moments of training, checkpointing, packing and the making of regions.

The command is killed, alone or with all of its processes, and started again, until it ends by itself: as if nothing had
been, to the bit. After each kill every file that can be read is whole, what was kept at the kill before still is, and
at most one checkpoint interval is lost. One kill in five falls into the start of a command, the others while it writes.

python benchmarks/faults/kills.py --kills 50 --json benchmarks/faults/kills.json
"""

import random
import sys
import time
from pathlib import Path
from typing import Any

from injection import SECONDS_OF_PATIENCE, Command, Record, inject, require, script
from targets import Target, target

KINDS = ("training", "checkpointing", "packing", "regions")
_SHARE_OF_STARTS = 0.2  # of the kills; the others hit a command that has begun to write
_SECONDS_FOR_A_CRITICAL_MOMENT = 1.0
_KILLS_A_ROUND = 12  # after which a command may end in peace: it may be killed before it comes to anything


def kill_until_it_ends(
    victim: Target, record: Record, folder: Path, number: int, num_kills: int
) -> list[dict[str, Any]]:
    """Kill one command again and again.

    Args:
        victim: The command.
        record: Where moments come from; says when the time is over.
        folder: An empty folder of the command's own; moments depend on its name too, since a command that ends
            before its moment leaves as many kills as there were.
        number: Kills of its kind before.
        num_kills: Kills that are wanted.

    Returns:
        What each kill found.
    """
    out, kills, kept = folder / "out", [], 0
    while True:
        chance = record.chance(victim.name, number + len(kills), folder.name)
        in_peace = len(kills) >= min(num_kills, _KILLS_A_ROUND) or (record.is_time_over and bool(kills))
        before = victim.written(out)
        with Command(victim.command(out), folder) as command:
            if in_peace:
                ends = command.ends_within(SECONDS_OF_PATIENCE)
                require(ends, f"{victim.name} does not end after {len(kills)} kills")
            if in_peace or not _moment_comes(command, victim, out, chance):
                code, said = command.process.returncode, " | ".join(command.complaints)
                require(code == 0, f"{victim.name} after {len(kills)} kills ends with code {code}: {said}")
                victim.check_end(out)
                return kills
            seconds = time.monotonic() - command.started
            with_all = chance.random() < 0.5
            command.kill(with_all=with_all)
            lived = command.seconds_until_nothing_lives()
        found = victim.check_files(out)
        require(found["kept"] >= kept, f"{kept} were kept before this kill, and {found['kept']} are left")
        kept = found["kept"]
        if victim.written(out) == before:
            found["found"] = "starting"
        kills.append(
            {
                "kind": victim.name, "after_seconds": round(seconds, 3), "with_all": with_all,
                "lived_seconds": round(lived, 2), **found,
            }
        )  # fmt: skip
        print(f"{victim.name} kill {number + len(kills)}: after {seconds:.2f} s, {found}", flush=True)


def _moment_comes(command: Command, victim: Target, out: Path, chance: random.Random) -> bool:
    """Wait for a random moment, mostly of its work; False if the command ends before."""
    if chance.random() < _SHARE_OF_STARTS:
        return not command.ends_within(chance.uniform(0, victim.seconds_to_work))
    before, end = victim.written(out), time.monotonic() + SECONDS_OF_PATIENCE
    while victim.written(out) == before:
        require(time.monotonic() < end, f"{victim.name} does not begin to work")
        if command.ends_within(0.002):
            return False
    if command.ends_within(chance.uniform(0, victim.seconds_at_work / 2)):
        return False
    end = time.monotonic() + _SECONDS_FOR_A_CRITICAL_MOMENT
    while not victim.is_critical(out) and time.monotonic() < end:
        if command.ends_within(0.0005):
            return False
    return not command.ends_within(chance.uniform(0, 0.01))


def kill_all_kinds(record: Record, workspace: Path, kinds: list[str], num_kills: int) -> bool:
    """Kill until there are so many kills of each kind; returns whether there are."""
    for kind in kinds:
        if len(record.injections(kind=kind)) >= num_kills:
            continue
        if record.is_time_over:
            return False
        victim = target(kind, workspace / kind)
        round_number = 0
        while (done := len(record.injections(kind=kind))) < num_kills:
            if record.is_time_over:
                return False
            folder = workspace / kind / f"round {round_number}"
            folder.mkdir()
            record.add(kill_until_it_ends(victim, record, folder, done, num_kills - done))
            round_number += 1
    return True


def main() -> int:
    parser = script("Kill commands at random moments.")
    parser.add_argument("--kills", type=int, default=50, help="of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    flags = parser.parse_args()
    return inject(flags, "kills", lambda record, folder: kill_all_kinds(record, folder, flags.kinds, flags.kills))


if __name__ == "__main__":
    sys.exit(main())
