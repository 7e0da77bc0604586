"""Measuring what the choices of the method cost."""

import itertools
import shlex
import sys
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse, suggest
from rmae.cli.preset_argument import preset_named, split_preset
from rmae.config import LossConfig, ModelConfig

if TYPE_CHECKING:
    from rmae.bench.costs import Candidate

_DEFAULT_PRESET = "rmae-coco-vit-b-fh"


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
    model: ModelConfig
    loss: LossConfig


def benchmark_flops(arguments: list[str]) -> None:
    """Count and time what a model's choices cost."""
    name, flags = split_preset(arguments)
    base = preset_named(name or _DEFAULT_PRESET)
    default = BenchmarkArguments(model=base.model, loss=base.loss)
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
    check_output_file("json", chosen.json)
    check_output_file("plot", chosen.plot)
    knobs = _read_knobs(chosen.vary)

    import torch

    from rmae.bench.costs import measure_costs
    from rmae.training.devices import build_fabric

    torch.set_num_threads(chosen.num_threads)
    fabric = build_fabric(accelerator=chosen.accelerator, precision=chosen.precision)
    measured = measure_costs(
        _combine(chosen.model, chosen.loss, knobs, name=name or _DEFAULT_PRESET),
        batch_size=chosen.batch_size,
        repeats=chosen.repeats,
        fabric=fabric,
        report=_report,
    )
    print(_table(measured))
    if chosen.json is not None or chosen.plot is not None:
        command = shlex.join(["rmae", "benchmark", "flops", *arguments])
        _keep(chosen, {"command": command, "precision": chosen.precision, **measured}, name or _DEFAULT_PRESET)


def _keep(chosen: BenchmarkArguments, figures: dict[str, Any], name: str) -> None:
    """Write the figures, with the cost of 1 to 64 regions, where they were asked for."""
    from rmae.bench.costs import count_by_num_regions
    from rmae.files import write_json
    from rmae.visual.cost_curves import CostCurve, draw_cost_curves

    by_num_regions = count_by_num_regions(replace(chosen.model, task="rmae"), chosen.loss)
    if chosen.json is not None:
        figures |= {"macs_over_mae_by_num_regions": by_num_regions}
        write_json(chosen.json, figures)
    if chosen.plot is not None:
        curves = [CostCurve(variant, tuple(cost), tuple(cost.values())) for variant, cost in by_num_regions.items()]
        draw_cost_curves(curves, title=f"What regions cost: {name}", path=chosen.plot)


class _Knob(NamedTuple):
    """A knob that is varied."""

    name: str
    """As a flag."""
    field: str
    of_loss: bool
    values: dict[str, Any]
    """By how they were written."""


def _read_knobs(vary: Sequence[str]) -> list[_Knob]:
    """Read knobs and their values, written as NAME=VALUE,VALUE.

    Raises:
        UsageError: A knob is unknown or named twice, or a value is not of its type.
    """
    known = {
        f.name.replace("_", "-"): (f, kind is LossConfig) for kind in (ModelConfig, LossConfig) for f in fields(kind)
    }
    knobs: list[_Knob] = []
    for word in vary:
        written, equals, values = word.partition("=")
        name = written.removeprefix("--").replace("_", "-")
        if not equals or not values:
            raise UsageError(f"--vary has {word!r}; write a knob and its values, as in neck-depth=1,8")
        if name not in known:
            raise UsageError(f"--vary has no knob {written!r}{suggest(name, known)}")
        if any(knob.name == name for knob in knobs):
            raise UsageError(f"--vary names {name} twice; give all of its values at once, as in neck-depth=1,8")
        field, of_loss = known[name]
        knobs.append(
            _Knob(name, field.name, of_loss, {value: _read_value(field, value) for value in values.split(",")})
        )
    return knobs


def _read_value(field: Field[Any], written: str) -> Any:
    flag = field.name.replace("_", "-")
    flags = {"true": [f"--{flag}"], "false": [f"--no-{flag}"]}.get(written.lower(), [f"--{flag}", *written.split()])
    of_one_knob = make_dataclass("OneKnob", [(field.name, field.type, field.default)], kw_only=True)
    parsed = parse(of_one_knob, "benchmark flops --vary", flags, advice="rmae benchmark flops --help")
    return getattr(parsed, field.name)


def _combine(model: ModelConfig, loss: LossConfig, knobs: Sequence[_Knob], *, name: str) -> "list[Candidate]":
    """All combinations of the values of the knobs that make a model; says which do not.

    Raises:
        UsageError: None does.
    """
    from rmae.bench.costs import Candidate

    candidates, refusals = [], []
    for values in itertools.product(*(knob.values.items() for knob in knobs)):
        pairs = list(zip(knobs, values, strict=True))
        label = ", ".join(f"{knob.name} {written}" for knob, (written, _) in pairs) or name
        try:
            changed = (
                replace(model, **{knob.field: value for knob, (_, value) in pairs if not knob.of_loss}),
                replace(loss, **{knob.field: value for knob, (_, value) in pairs if knob.of_loss}),
            )
        except ValueError as error:
            refusals.append(f"left out {label}: {error}")
        else:
            candidates.append(Candidate(label, *changed))
    if not candidates:
        raise UsageError(f"--vary leaves no model to measure; {refusals[0]}")
    for refusal in refusals:
        _report(refusal)
    return candidates


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
