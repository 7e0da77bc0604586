"""Fuzz every reader with many inputs, and keep what came of them; gone on with where it was stopped."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fuzz.all_readers import READERS
from fuzz.trial import Tally, damaged_input, try_inputs
from rmae.bench.machine import describe_machine
from rmae.files import write_json

_PACKAGES = (
    "numpy", "pillow", "pyarrow", "pydantic", "safetensors", "simplejpeg", "tifffile", "timm", "torch", "zstandard",
)  # fmt: skip
_INPUTS_AT_ONCE = 2000
_MOST_FAULTS = 20  # of a reader, that are written down
_FORMAT, _VERSION = "fuzz", 1


def main() -> int:
    """Run; returns 1 where a reader did what it must not."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no more pieces are begun after that")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/fuzz.json"))
    parser.add_argument("--only", nargs="*", default=[], help="readers, by name")
    parser.add_argument("--show", type=int, help="write this input of the one reader into a folder, and do no more")
    arguments = parser.parse_args()
    if arguments.show is not None:
        return _show(arguments.only[0], arguments.show, arguments.seed)
    record = _open(arguments.out, arguments.seed)
    _run(record, arguments)
    left = sum(max(0, arguments.inputs - _num_done(record, name)) for name in READERS)
    faults = sum(found["faults"] for found in record["readers"].values())
    print(f"{left:,} inputs left; {faults} faults so far; see {arguments.out}")
    return 1 if faults else 0


def _run(record: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Try what is left, as many pieces at a time as there are cores, and write the record after each."""
    started = time.monotonic()
    cores = len(os.sched_getaffinity(0))
    pieces = _pieces(record, arguments)
    running: dict[Future[Tally], tuple[str, range]] = {}
    early: dict[tuple[str, int], tuple[range, Tally]] = {}
    with ProcessPoolExecutor(cores, mp_context=get_context("fork")) as pool:
        while True:
            while len(running) < cores and time.monotonic() - started < arguments.seconds:
                piece = next(pieces, None)
                if piece is None:
                    break
                running[pool.submit(_try_piece, *piece, arguments.seed)] = piece
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                name, numbers = running.pop(future)
                early[name, numbers.start] = numbers, future.result()
                while (piece := early.pop((name, _num_done(record, name)), None)) is not None:
                    _add(record, name, *piece)
                write_json(arguments.out, record)


def _pieces(record: dict[str, Any], arguments: argparse.Namespace) -> Iterator[tuple[str, range]]:
    """What is left to be tried; one piece of each reader, then the next one of each."""
    begins = {name: _num_done(record, name) for name in READERS if name in (arguments.only or READERS)}
    while begins:
        for name, begin in list(begins.items()):
            end = min(begin + _INPUTS_AT_ONCE, arguments.inputs)
            if begin < end:
                yield name, range(begin, end)
                begins[name] = end
            else:
                del begins[name]


def _num_done(record: dict[str, Any], name: str) -> int:
    return record["readers"].get(name, {}).get("inputs", 0)


def _try_piece(name: str, numbers: range, seed: int) -> Tally:
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
        return try_inputs(READERS[name], numbers, seed=seed, folder=Path(folder))


def _memory_folder() -> str | None:
    """A folder in memory, where there is one: files are written by the thousand."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _add(record: dict[str, Any], name: str, numbers: range, tally: Tally) -> None:
    found = record["readers"].setdefault(
        name, {"inputs": 0, "read": 0, "refused": {}, "faults": 0, "fault_list": [], "seconds": 0.0}
    )
    assert found["inputs"] == numbers.start, "pieces of a reader end in their order"
    found["inputs"] = numbers.stop
    found["read"] += tally.outcomes["read"]
    refused = Counter(found["refused"]) + Counter({word: n for word, n in tally.outcomes.items() if word != "read"})
    found["refused"] = dict(sorted(refused.items()))
    found["faults"] += len(tally.faults)
    found["fault_list"] = [*found["fault_list"], *map(list, tally.faults)][:_MOST_FAULTS]
    found["seconds"] = round(found["seconds"] + tally.seconds, 1)
    print(f"{name}: {numbers.stop:,} inputs, {found['faults']} faults, {found['seconds']} s", flush=True)


def _open(path: Path, seed: int) -> dict[str, Any]:
    """The record of an earlier call with the same seed, or a new one."""
    machine = describe_machine(_PACKAGES)
    if not path.exists():
        head = {"format": _FORMAT, "version": _VERSION, "seed": seed, "machine": machine}
        return {**head, "commits": [machine["commit"]], "readers": {}}
    record = json.loads(path.read_text())
    if record["seed"] != seed:
        raise SystemExit(f"{path} is of seed {record['seed']}; choose another file (--out)")
    record["machine"] = machine
    record["commits"] = list(dict.fromkeys([*record["commits"], machine["commit"]]))
    return record


def _show(name: str, number: int, seed: int) -> int:
    reader = READERS[name]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (folder / "samples").mkdir()
    files = damaged_input(reader, reader.make(folder / "samples"), number, seed=seed)
    for file, content in files.items():
        (folder / "input" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "input" / file).write_bytes(content)
    print(folder / "input")
    return 0


if __name__ == "__main__":
    sys.exit(main())
