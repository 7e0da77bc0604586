"""One of two processes that train together dies, or hangs: the other one ends within a minute and says so.

python benchmarks/faults/ranks.py --injections 3 --json benchmarks/faults/ranks.json
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from injection import Command, Record, inject, require, run, script, variables_of, wait_until
from targets import Training, draw_pictures

_SECONDS_TO_END = 60.0
_STARTS = {
    "devices": (sys.executable, "-m", "rmae"),
    "torchrun": (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rmae"),
}
_SIGNALS = {"dies": signal.SIGKILL, "hangs": signal.SIGSTOP}


class Case(NamedTuple):
    """What happens to whom."""

    start: str
    """devices or torchrun."""
    rank: int
    """Which process it happens to."""
    fault: str
    """dies or hangs."""


ALL = tuple(Case(start, rank, fault) for start in _STARTS for fault in _SIGNALS for rank in (1, 0))
SHORT = (Case("devices", 1, "dies"), Case("devices", 0, "hangs"))


def hurt(case: Case, run_of_two: Training, folder: Path, record: Record, number: int) -> dict[str, Any]:
    """Let one process die or hang; the run goes on afterwards as if nothing had been."""
    out, chance = folder / "out", record.chance(*case, number)
    with Command(run_of_two.command(out), folder, start=_STARTS[case.start]) as command:
        wait_until(lambda: run_of_two.is_at_work(out), command, "the first checkpoint")
        time.sleep(chance.uniform(0, run_of_two.seconds_at_work / 4))
        pids = _pids(command, case.start)
        require(len(pids) == 2, "the run has no two processes")
        os.kill(pids[case.rank], _SIGNALS[case.fault])
        seconds = _seconds_until_gone(command, pids[1 - case.rank])
        said = _sentences(command)
        if case.start == "devices" and case.rank == 1:
            require(command.ends_within(5), "the command does not end with its first process")
            require(command.process.returncode == 1, f"the code is {command.process.returncode} and not 1")
            command.seconds_until_nothing_lives()
        elif case.start == "torchrun":  # which gives a process that was stopped half a minute to end
            require(command.ends_within(_SECONDS_TO_END), "torchrun does not end")
            require(command.process.returncode != 0, "torchrun ends as if nothing had been")
            command.seconds_until_nothing_lives()
    if (case.start, case.fault) == ("devices", "dies") and case.rank == 0:
        # The command itself was killed; the other process may find out before it is told to end.
        told = [line for line in said if "process 0 was ended from outside" not in line]
        require(not told and len(said) <= 1, f"it does not say what happened, but: {' | '.join(said)}")
    elif case.fault == "hangs" or case.rank == 1:
        wanted = f"process {case.rank} does not answer" if case.fault == "hangs" else "was ended from outside"
        require(len(said) == 1 and wanted in said[0], f"it does not say what happened, but: {' | '.join(said)}")
    found = run_of_two.check_files(out)
    run(run_of_two.command(out), folder, start=_STARTS[case.start])
    run_of_two.check_end(out)
    return {**case._asdict(), "seconds_until_the_other_ended": round(seconds, 2), "said": said, **found}


def _pids(command: Command, start: str) -> dict[int, int]:
    """The processes that train, by rank."""
    if start == "devices":
        others = [pid for pid in command.children() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return {0: command.process.pid, **dict(enumerate(others, start=1))}
    ranks = {pid: [int(each[5:]) for each in variables_of(pid) if each.startswith(b"RANK=")] for pid in command.alive()}
    return {rank[0]: pid for pid, rank in ranks.items() if rank}


def _seconds_until_gone(command: Command, pid: int) -> float:
    """Wait until a process of a command has ended."""
    start = time.monotonic()
    while pid in command.alive():
        require(time.monotonic() - start < _SECONDS_TO_END, "the other process has not ended after a minute")
        time.sleep(0.05)
    return time.monotonic() - start


def _sentences(command: Command) -> list[str]:
    """What was said by `rmae`, without what torchrun adds."""
    return [line for line in command.complaints if line.startswith("rmae: ")]


def hurt_all(record: Record, workspace: Path, cases: tuple[Case, ...], num_injections: int) -> bool:
    """Do all of it so many times; returns whether all is done."""
    missing = [
        (case, number) for case in cases for number in range(len(record.injections(**case._asdict())), num_injections)
    ]
    if not missing:
        return True
    flags = ["--embed-dim", "32", "--updates", "150", "--num-workers", "0", "--devices", "2"]
    run_of_two = Training(
        "two processes", draw_pictures(workspace / "data", 60, workspace), workspace, flags, interval=10
    )
    for case, number in missing:
        if record.is_time_over:
            return False
        folder = workspace / f"{' '.join(map(str, case))} {number}"
        folder.mkdir()
        found = hurt(case, run_of_two, folder, record, number)
        record.add([found])
        seconds = found["seconds_until_the_other_ended"]
        print(f"{case.start}: process {case.rank} {case.fault}; the other one ended after {seconds} s", flush=True)
    return True


def main() -> int:
    parser = script("Let processes that train together die or hang.")
    parser.add_argument("--injections", type=int, default=3, help="of each case")
    parser.add_argument("--short", action="store_true", help="two cases of the eight")
    flags = parser.parse_args()
    cases = SHORT if flags.short else ALL
    return inject(flags, "ranks", lambda record, folder: hurt_all(record, folder, cases, flags.injections))


if __name__ == "__main__":
    sys.exit(main())
