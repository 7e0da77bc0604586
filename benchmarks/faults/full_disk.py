"""A disk that runs full in the middle of training, checkpointing, packing and the making of regions.

The command ends with one sentence. What it has saved is whole, and with room again the same command goes on and ends as
if nothing had been.

python benchmarks/faults/full_disk.py --injections 5 --json benchmarks/faults/full_disk.json
"""

import sys
import time
from pathlib import Path
from typing import Any

from injection import Command, Record, inject, one_sentence, require, run, script, wait_until
from rooms import Room, kinds_of_rooms, with_mounts_of_its_own
from targets import Target, target

KINDS = ("training", "checkpointing", "packing", "regions")
_SECONDS_TO_END = 60.0
_ATTEMPTS = 8  # at a moment in which something is still to be written


def fill(victim: Target, room: Room, record: Record, number: int, said: Path) -> dict[str, Any]:
    """Let one command run out of room, then make room and let it end."""
    for attempt in range(_ATTEMPTS):
        out = room.path / f"{attempt}" / "out"
        chance = record.chance(victim.name, room.kind, number, attempt)
        out.parent.mkdir()
        with Command(victim.command(out), said) as command:
            wait_until(lambda out=out: victim.is_at_work(out), command, f"the beginning of {victim.name}")
            time.sleep(chance.uniform(0, victim.seconds_at_work / 4))
            leave = int(chance.uniform(0, victim.largest))
            room.close(command, leave)
            closed = time.monotonic()
            require(command.ends_within(_SECONDS_TO_END), f"{victim.name} does not end without room")
            seconds = time.monotonic() - closed
        room.open()
        if command.process.returncode == 0:  # all that was left to be written had room
            victim.check_end(out)
            continue
        sentence = one_sentence(command)
        words = ("cannot be written", "No space left", "File too large")
        require(any(word in sentence for word in words), f"it does not say what is wrong: {sentence}")
        require(str(room.path) in sentence, f"it does not say where: {sentence}")
        found = victim.check_files(out)
        run(victim.command(out), said)
        victim.check_end(out)
        return {
            "kind": victim.name, "room": room.kind, "room_left": leave, "seconds_to_end": round(seconds, 2),
            "sentence": sentence.replace(str(room.path), "DISK"), **found,
        }  # fmt: skip
    raise AssertionError(f"{_ATTEMPTS} times nothing was left to be written")


def fill_all_kinds(record: Record, workspace: Path, kinds: list[str], num_injections: int, num_rooms: int) -> bool:
    """Fill disks so many times for each command and each kind of room; returns whether all is done."""
    rooms = kinds_of_rooms()[:num_rooms]
    for kind in kinds:
        wanted = [room for room in rooms if len(record.injections(kind=kind, room=room.kind)) < num_injections]
        if not wanted:
            continue
        if record.is_time_over:
            return False
        victim = target(kind, workspace / kind)
        for make_room in wanted:
            while (done := len(record.injections(kind=kind, room=make_room.kind))) < num_injections:
                if record.is_time_over:
                    return False
                room = make_room(workspace / kind / f"{make_room.kind} {done}")
                try:
                    found = fill(victim, room, record, done, workspace / kind)
                finally:
                    room.end()
                record.add([found])
                print(f"{kind}, {make_room.kind} {done + 1}: {found['sentence']}", flush=True)
    return True


def main() -> int:
    with_mounts_of_its_own()
    parser = script("Let disks run full.")
    parser.add_argument("--injections", type=int, default=5, help="of each command and each kind of full disk")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rooms", type=int, default=2, help="kinds of full disks, of those that are possible here")
    flags = parser.parse_args()

    def body(record: Record, folder: Path) -> bool:
        return fill_all_kinds(record, folder, flags.kinds, flags.injections, flags.rooms)

    return inject(flags, "full_disk", body)


if __name__ == "__main__":
    sys.exit(main())
