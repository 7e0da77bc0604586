"""SIGKILL at random moments of training, checkpointing, packing and the making of regions.

The command is killed, alone or with all of its processes, and started again, until it ends by itself: as if nothing had
been, to the bit. After each kill every file that can be read is whole, and at most one checkpoint interval is lost.

python benchmarks/faults/kills.py --kills 50 --json benchmarks/faults/kills.json
"""

import sys
from pathlib import Path
from typing import Any

from injection import SECONDS_OF_PATIENCE, Command, Record, inject, require, script
from targets import Target, target

KINDS = ("training", "checkpointing", "packing", "regions")
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
        moment = SECONDS_OF_PATIENCE if in_peace else chance.uniform(0, victim.seconds)
        with Command(victim.command(out), folder) as command:
            if command.ends_within(moment):
                code, said = command.process.returncode, " | ".join(command.complaints)
                require(code == 0, f"{victim.name} after {len(kills)} kills ends with code {code}: {said}")
                victim.check_end(out)
                return kills
            require(not in_peace, f"{victim.name} does not end after {len(kills)} kills")
            with_all = chance.random() < 0.5
            command.kill(with_all=with_all)
            lived = command.seconds_until_nothing_lives()
        found = victim.check_files(out)
        images = found.get("images_kept", 0)
        require(images >= kept, f"{kept - images} images that were in the store are not there any more")
        kept = images
        kills.append(
            {
                "kind": victim.name, "after_seconds": round(moment, 3), "with_all": with_all,
                "lived_seconds": round(lived, 2), **found,
            }
        )  # fmt: skip
        print(f"{victim.name} kill {number + len(kills)}: after {moment:.2f} s, {found}", flush=True)


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
