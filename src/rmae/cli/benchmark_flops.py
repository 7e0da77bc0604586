"""Measuring what the choices of the method cost."""

import itertools
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rmae.cli.parsing import UsageError, parse
from rmae.cli.preset_argument import preset_named, split_preset
from rmae.config import LossConfig, ModelConfig

if TYPE_CHECKING:
    from rmae.bench.costs import Candidate

_DEFAULT_PRESET = "rmae-coco-vit-b-fh"


@dataclass(frozen=True, kw_only=True)
class _Choices:
    """What a model costs depends on."""

    model: ModelConfig
    loss: LossConfig


@dataclass(frozen=True, kw_only=True)
class BenchmarkArguments:
    """Count and time a training step of a model beside MAE's: the same model without regions.

    The preset sets the defaults of the options of the model and its losses; the default one is rmae-coco-vit-b-fh.
    Multiply-accumulates are counted for one image, memory and time are measured for a whole batch.
    """

    vary: tuple[str, ...] = ()
    """Knobs to try in all combinations, each with its values, as in region-variant=length,batch neck-depth=1,8."""
    batch_size: int = 8
    """Images in a step, at least 1."""
    repeats: int = 3
    """How often each step is timed, in turn with MAE's, at least 1."""
    num_threads: int = 1
    """Threads of the arithmetic on a CPU, at least 1."""
    accelerator: Literal["auto", "cpu", "gpu"] = "cpu"
    """Device to measure on."""
    precision: Literal["float32", "bf16"] = "float32"
    """Arithmetic of the model."""
    json: Path | None = None
    """File for the figures; None = none."""
    plot: Path | None = None
    """Picture to draw, .png or .svg: cost of the three variants for 1 to 64 regions; None = none."""
    choices: _Choices


def benchmark_flops(arguments: list[str]) -> None:
    """Count and time what a model's choices cost."""
    name, flags = split_preset(arguments)
    base = preset_named(name or _DEFAULT_PRESET)
    default = BenchmarkArguments(choices=_Choices(model=base.model, loss=base.loss))
    chosen = parse(BenchmarkArguments, "benchmark flops", flags, default=default, operands="[PRESET]")
    for flag, number in (
        ("batch-size", chosen.batch_size),
        ("repeats", chosen.repeats),
        ("num-threads", chosen.num_threads),
    ):
        if number < 1:
            raise UsageError(f"--{flag} is {number}; it must be at least 1")
    if chosen.plot is not None and chosen.plot.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot is {chosen.plot}; its name must end in .png or .svg")

    import torch

    from rmae.bench.costs import count_by_num_regions, measure_costs
    from rmae.files import write_atomically
    from rmae.training.devices import build_fabric

    candidates = _combine(chosen.choices, chosen.vary, name=name or _DEFAULT_PRESET)
    torch.set_num_threads(chosen.num_threads)
    fabric = build_fabric(accelerator=chosen.accelerator, precision=chosen.precision)
    measured = measure_costs(
        candidates, batch_size=chosen.batch_size, repeats=chosen.repeats, fabric=fabric, report=_report
    )
    print(_table(measured))
    by_num_regions = count_by_num_regions(replace(chosen.choices.model, task="rmae"), chosen.choices.loss)
    if chosen.json is not None:
        command = shlex.join(["rmae", "benchmark", "flops", *arguments])
        figures = {"command": command, "precision": chosen.precision, **measured}
        figures |= {"macs_over_mae_by_num_regions": by_num_regions}
        write_atomically(chosen.json, json.dumps(figures, indent=2) + "\n")
    if chosen.plot is not None:
        _plot(by_num_regions, title=f"What regions cost: {name or _DEFAULT_PRESET}", path=chosen.plot)


def _plot(by_num_regions: dict[str, dict[int, float]], *, title: str, path: Path) -> None:
    from rmae.visual.cost_curves import CostCurve, draw_cost_curves

    curves = [CostCurve(variant, tuple(cost), tuple(cost.values())) for variant, cost in by_num_regions.items()]
    draw_cost_curves(curves, title=title, path=path)


def _combine(choices: _Choices, vary: Sequence[str], *, name: str) -> "list[Candidate]":
    """All combinations of the values of varied knobs that make a model; says which do not."""
    from rmae.bench.costs import Candidate

    if not vary:
        return [Candidate(name, choices.model, choices.loss)]
    candidates, refused = [], []
    for values in itertools.product(*map(_values, vary)):
        flags = list(itertools.chain.from_iterable(flags for _, flags in values))
        label = ", ".join(label for label, _ in values)
        try:
            changed = parse(
                _Choices, "benchmark flops --vary", flags, default=choices, advice="rmae benchmark flops --help"
            )
        except UsageError as error:
            refused.append((label, error))
        else:
            candidates.append(Candidate(label, changed.model, changed.loss))
    if not candidates:
        raise refused[0][1]
    for label, error in refused:
        _report(f"left out {label}: {error}")
    return candidates


def _values(knob: str) -> list[tuple[str, list[str]]]:
    """A label and the flags for each value of a knob, written as NAME=VALUE,VALUE."""
    name, equals, values = knob.partition("=")
    if not equals or not values:
        raise UsageError(f"--vary has {knob!r}; write a knob and its values, as in neck-depth=1,8")
    return [(f"{name} {value}", _flags(name, value)) for value in values.split(",")]


def _flags(name: str, value: str) -> list[str]:
    match value.lower():
        case "true":
            return [f"--{name}"]
        case "false":
            return [f"--no-{name}"]
        case _:
            return [f"--{name}", *value.split()]


def _report(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _table(measured: dict[str, Any]) -> str:
    """What was measured: two lines for each model, its figures and what they are beside MAE's."""
    head = ("MAC forward", "both passes", "region branch", "parameters", "peak memory", "step")
    lines = [("", *head), ("", *("of MAE forward" if title == "region branch" else "times MAE" for title in head))]
    for row in measured["rows"]:
        figures = (
            _millions(row["macs_forward"]),
            _millions(row["macs_forward"] + row["macs_backward"]),
            _millions(row["macs_region_branch"]),
            _millions(row["parameters"]),
            f"{row['peak_memory_bytes'] / 1e6:,.0f} MB",
            f"{row['step_ms']:,.0f} ms",
        )
        ratios = (
            f"{row['forward_over_mae']:.3f}",
            f"{row['macs_over_mae']:.3f}",
            f"{row['region_branch_over_mae']:.2%}",
            f"{row['parameters_over_mae']:.3f}",
            f"{row['peak_memory_over_mae']:.3f}",
            f"{row['step_over_mae']:.3f}",
        )
        lines += [(row["name"], *figures), ("", *ratios)]
    device = "the GPU" if measured["device"] != "cpu" else f"the CPU, threads: {measured['threads']}"
    return f"{_aligned(lines)}\n\nMACs are those of one image; a step has {measured['batch_size']} images, on {device}."


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns, the first flush left and the others flush right."""
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        "  ".join(
            [f"{name:<{first}}", *(f"{cell:>{width}}" for cell, width in zip(cells, others, strict=True))]
        ).rstrip()
        for name, *cells in lines
    )


def _millions(number: int) -> str:
    return f"{number / 1e6:,.1f} M"
