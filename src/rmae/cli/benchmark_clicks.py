"""Measuring what a click costs."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse
from rmae.cli.preset_argument import preset_named, split_preset
from rmae.config import ModelConfig

_DEFAULT_PRESET = "rmae-coco-vit-b-fh"


@dataclass(frozen=True, kw_only=True)
class BenchmarkArguments:
    """Time a click in interactive segmentation beside the look at the picture that all clicks share, on the CPU.

    The preset sets the defaults of the options of the model; the default one is rmae-coco-vit-b-fh. Weights are random,
    which takes the same time.
    """

    picture_size: tuple[int, int] = (768, 1024)
    """Height and width of the picture in pixels, at least 1 each."""
    num_views: int | None = None
    """In how many views the neck sees a picture; None = as many as the segmenter takes, 1 = all at once."""
    num_threads: int = 2
    """Threads that torch works with, at least 1."""
    repeats: int = 20
    """How often everything is timed, at least 1."""
    json: Path | None = None
    """File for the figures; None = none."""
    model: ModelConfig


def benchmark_clicks(arguments: list[str]) -> None:
    """Measure what a click costs."""
    name, flags = split_preset(arguments)
    default = BenchmarkArguments(model=preset_named(name or _DEFAULT_PRESET).model)
    chosen = parse(BenchmarkArguments, "benchmark clicks", flags, default=default, operands="[PRESET]")
    for flag, number in (
        ("picture-size", min(chosen.picture_size)),
        ("num-threads", chosen.num_threads),
        ("repeats", chosen.repeats),
    ):
        if number < 1:
            raise UsageError(f"--{flag} is {number}; it must be at least 1")
    check_output_file("json", chosen.json)

    from rmae.bench.clicks import measure_clicks
    from rmae.files import write_json

    measured = measure_clicks(
        chosen.model,
        size_hw=chosen.picture_size,
        num_views=chosen.num_views,
        num_threads=chosen.num_threads,
        repeats=chosen.repeats,
    )
    print(_in_words(name or _DEFAULT_PRESET, measured))
    if chosen.json is not None:
        command = shlex.join(["rmae", "benchmark", "clicks", *arguments])
        write_json(chosen.json, {"command": command, **measured})


def _in_words(preset: str, measured: dict[str, Any]) -> str:
    ms, (height, width) = measured["ms"], measured["size_hw"]
    rows = [
        ("model", f"{preset}, {measured['num_views']} view(s), {measured['threads']} thread(s)"),
        ("picture", f"{width} x {height} pixels"),
        ("encoder and neck, once a picture", f"{ms['look']:.1f} ms"),
        ("region branch, once a click", f"{ms['branch']:.1f} ms, {measured['branch_over_look']:.1%} of that"),
        ("a whole click", f"{ms['click']:.1f} ms"),
        ("the same after 19 others", f"{ms['click_after_19']:.1f} ms"),
    ]
    width_of_names = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width_of_names}}  {figure}" for name, figure in rows)
