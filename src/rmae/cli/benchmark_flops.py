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


def benchmark_flops(arguments: list[str]) -> None:
    """Count and time what a model's choices cost."""

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
        """How often each step is timed, in turn with MAE's; 0 = count only."""
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

    name, flags = split_preset(arguments)
    base = preset_named(name or _DEFAULT_PRESET)
    default = BenchmarkArguments(choices=_Choices(model=base.model, loss=base.loss))
    chosen = parse(BenchmarkArguments, "benchmark flops", flags, default=default, operands="[PRESET]")
    for flag, value in (
        ("batch-size", chosen.batch_size),
        ("repeats", chosen.repeats),
        ("num-threads", chosen.num_threads),
    ):
        if value < 1:
            raise UsageError(f"--{flag} is {value}; it must be at least 1")
    if chosen.plot is not None and chosen.plot.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot is {chosen.plot}; its name must end in .png or .svg")
    candidates = _combine(chosen.choices, chosen.vary, name=name or _DEFAULT_PRESET)

    import torch
    from lightning_fabric import Fabric

    from rmae.bench.costs import count_by_num_regions, measure_costs
    from rmae.files import write_atomically

    torch.set_num_threads(chosen.num_threads)
    precision: Any = {"float32": "32-true", "bf16": "bf16-mixed"}[chosen.precision]
    fabric = Fabric(accelerator=chosen.accelerator, devices=1, precision=precision)
    measured = measure_costs(
        candidates, batch_size=chosen.batch_size, repeats=chosen.repeats, fabric=fabric, report=_report
    )
    by_num_regions = count_by_num_regions(replace(chosen.choices.model, task="rmae"), chosen.choices.loss)
    command = shlex.join(["rmae", "benchmark", "flops", *arguments])
    print(_table(measured))
    if chosen.json is not None:
        figures = {"command": command, **measured, "macs_over_mae_by_num_regions": by_num_regions}
        write_atomically(chosen.json, json.dumps(figures, indent=2) + "\n")
    if chosen.plot is not None:
        from rmae.visual.cost_curves import CostCurve, draw_cost_curves

        curves = [CostCurve(variant, tuple(cost), tuple(cost.values())) for variant, cost in by_num_regions.items()]
        draw_cost_curves(curves, title=f"What regions cost: {name or _DEFAULT_PRESET}", path=chosen.plot)


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
    """What was measured, a line for each model, each figure beside its ratio to MAE's."""
    head = [
        ("", ""), ("MAC forward", "times MAE"), ("both passes", "times MAE"), ("region branch", "of MAE forward"),
        ("parameters", "times MAE"), ("peak memory", "times MAE"), ("step", "times MAE"),
    ]  # fmt: skip
    lines = [[title for title, _ in head], [title for _, title in head]]
    for row in measured["rows"]:
        both = row["macs_forward"] + row["macs_backward"]
        figures = [
            (row["name"], ""),
            (_millions(row["macs_forward"]), f"{row['forward_over_mae']:.3f}"),
            (_millions(both), f"{row['macs_over_mae']:.3f}"),
            (_millions(row["macs_region_branch"]), f"{row['region_branch_over_mae']:.2%}"),
            (_millions(row["parameters"]), f"{row['parameters_over_mae']:.3f}"),
            (f"{row['peak_memory_bytes'] / 1e6:,.0f} MB", f"{row['peak_memory_over_mae']:.3f}"),
            (f"{row['step_ms']:,.0f} ms", f"{row['step_over_mae']:.3f}"),
        ]
        lines += [[figure for figure, _ in figures], [ratio for _, ratio in figures]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    written = [
        "  ".join(
            f"{cell:<{widths[0]}}" if not column else f"{cell:>{widths[column]}}" for column, cell in enumerate(line)
        )
        for line in lines
    ]
    device = (
        f"{measured['device']}, {measured['threads']} thread(s)" if measured["device"] == "cpu" else measured["device"]
    )
    return "\n".join(
        [*(line.rstrip() for line in written), "", f"a step of {measured['batch_size']} images on {device}"]
    )


def _millions(number: int) -> str:
    return f"{number / 1e6:,.1f} M"
