"""Measuring how fast scenes of cut-outs are made."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse


@dataclass(frozen=True, kw_only=True)
class BenchmarkArguments:
    """Time scenes of photographic cut-outs, composed and written by one process.

    What is read from the folders is not counted.
    """

    cut_outs: Path
    """Folder with a folder for each class, of pictures with transparency."""
    photographs: Path
    """Folder of photographs to lay cut-outs on."""
    img_size: int = 160
    """Pixels on each side, at least 32."""
    num_scenes: int = 500
    """How many are made in a round, at least 1."""
    repeats: int = 5
    """Rounds, at least 1."""
    json: Path | None = None
    """File for the figures; None = none."""


def benchmark_scenes(arguments: list[str]) -> None:
    """Measure how fast scenes of cut-outs are made."""
    chosen = parse(BenchmarkArguments, "benchmark scenes", arguments)
    for flag, number in (("num-scenes", chosen.num_scenes), ("repeats", chosen.repeats)):
        if number < 1:
            raise UsageError(f"--{flag} is {number}; it must be at least 1")
    check_output_file("json", chosen.json)

    from rmae.bench.scenes import measure_scenes
    from rmae.files import write_json
    from rmae.scenes import read_cut_outs

    measured = measure_scenes(
        read_cut_outs(chosen.cut_outs, chosen.photographs),
        size_hw=(chosen.img_size, chosen.img_size),
        num_scenes=chosen.num_scenes,
        repeats=chosen.repeats,
    )
    print(_in_words(measured))
    if chosen.json is not None:
        command = shlex.join(["rmae", "benchmark", "scenes", *arguments])
        write_json(chosen.json, {"command": command, **measured})


def _in_words(measured: dict[str, Any]) -> str:
    ms, (height, width) = measured["ms_a_scene"], measured["size_hw"]
    rows = [
        ("scenes", f"{measured['num_scenes']} of {width} x {height} pixels, {measured['repeats']} round(s)"),
        ("composed", f"{ms['compose']:.2f} ms each"),
        ("composed and written", f"{ms['make']:.2f} ms each, {measured['scenes_a_second']:.0f} a second"),
    ]
    width_of_names = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width_of_names}}  {figure}" for name, figure in rows)
