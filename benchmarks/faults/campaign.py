"""All faults, piece after piece; whatever interrupts it, the same call goes on.

python benchmarks/faults/campaign.py                       # what `make faults` does
python benchmarks/faults/campaign.py --stop-after 9        # at most about nine minutes of it
python benchmarks/faults/campaign.py --only ranks
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from injection import DONE, MORE_TO_DO

_FOLDER = Path(__file__).parent
_MINUTES_A_PIECE = 8.0
SCRIPTS = {
    "kills": ("--kills", "50"),
    "full_disk": ("--injections", "5"),
    "losses": ("--injections", "5"),
    "ranks": ("--injections", "3"),
    "soak": ("--minutes", "30"),
}
"""Names of the scripts, and how much of each is enough."""


def inject_all(names: list[str], records: Path, stop_after: float | None) -> int:
    """Run scripts one after the other; returns the exit code."""
    end = None if stop_after is None else time.monotonic() + 60 * stop_after
    records.mkdir(parents=True, exist_ok=True)
    for name in names:
        code = MORE_TO_DO
        while code == MORE_TO_DO:
            minutes = _MINUTES_A_PIECE if end is None else min(_MINUTES_A_PIECE, (end - time.monotonic()) / 60 - 1)
            if minutes <= 0:
                print("there is more to do; the same call goes on", flush=True)
                return MORE_TO_DO
            script = [sys.executable, str(_FOLDER / f"{name}.py"), *SCRIPTS[name]]
            places = ["--json", str(records / f"{name}.json"), "--stop-after", f"{minutes:.2f}"]
            code = subprocess.run([*script, *places], check=False).returncode
        if code != DONE:
            return code
    return DONE


def table(records: Path) -> str:
    """What was injected how often, as Markdown, from the records that are there."""
    rows = ["| fault | where | times | worst |", "|---|---|---|---|"]
    for path in sorted(records.glob("*.json")):
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["fault"] == "soak":
            told = saved.get("conclusion", {"minutes": 0, "updates": 0})
            rows.append(f"| soak | training | {told['minutes']:g} minutes | {told['updates']:,} updates |")
            continue
        names = [_name_of(each) for each in saved["injections"]]
        for name, times in Counter(names).items():
            of_name = [each for each, its in zip(saved["injections"], names, strict=True) if its == name]
            rows.append(f"| {' | '.join(name)} | {times} | {_worst(of_name)} |")
    return "\n".join(rows)


def _name_of(injection: dict[str, object]) -> tuple[str, str]:
    if "start" in injection:
        return f"process {injection['rank']} {injection['fault']}", f"two processes, {injection['start']}"
    return str(injection.get("loss", injection.get("room", "SIGKILL"))), f"{injection['kind']}"


def _worst(injections: list[dict[str, float]]) -> str:
    units = {
        "updates_lost": "updates lost", "seconds_to_end": "s to the end",
        "seconds_until_the_other_ended": "s until the other ended", "seconds": "s",
    }  # fmt: skip
    worst = {name: max((each[name] for each in injections if name in each), default=None) for name in units}
    return ", ".join(f"{value:g} {units[name]}" for name, value in worst.items() if value is not None)


def main() -> int:
    parser = argparse.ArgumentParser(description="Inject all faults.")
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--records", type=Path, default=_FOLDER, help="folder of the JSON files")
    parser.add_argument("--stop-after", type=float, default=None, help="minutes; default: until all is done")
    parser.add_argument("--table", action="store_true", help="inject nothing; print what the records say")
    flags = parser.parse_args()
    if flags.table:
        print(table(flags.records))
        return DONE
    return inject_all(flags.only, flags.records, flags.stop_after)


if __name__ == "__main__":
    sys.exit(main())
