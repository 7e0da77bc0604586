"""What a training step of each model costs, beside MAE's."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric

from rmae.bench.machine import describe_machine
from rmae.bench.macs import count_macs
from rmae.bench.memory import peak_memory
from rmae.bench.step import TrainingStep
from rmae.bench.stopwatch import times_side_by_side
from rmae.config import LossConfig, ModelConfig

NUMS_REGIONS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of regions for which the cost of a variant is counted."""

_PACKAGES = ("torch", "timm", "lightning-fabric", "numpy")


class Candidate(NamedTuple):
    """A model to measure."""

    name: str
    model: ModelConfig
    loss: LossConfig


def measure_costs(
    candidates: Sequence[Candidate],
    *,
    batch_size: int,
    repeats: int,
    fabric: Fabric,
    report: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:
    """Count and time a training step of each model, and of the MAE that it extends, side by side.

    Two models are in memory at a time: a model and its MAE, whose steps are timed in turn.

    Args:
        candidates: Models of tasks with regions, or MAEs. A MAE's losses are those of the first model beside it.
        batch_size: Images in a step.
        repeats: How often each step is timed.
        fabric: Device and precision.
        report: Is told what is being measured.

    Returns:
        What `json.dumps` takes: `rows`, each MAE before the models that are compared with it, and those in the order of
        the candidates. A row has `name`, `mae` (the name of that MAE), `macs_forward`, `macs_backward`,
        `macs_region_branch` and `macs_neck` of one image, `parameters` (trainable ones), `peak_memory_bytes` and
        `step_ms` of a batch, and the ratios to MAE: `macs_over_mae` (both passes), `forward_over_mae`,
        `region_branch_over_mae` (of the forward pass), `parameters_over_mae`, `peak_memory_over_mae` and
        `step_over_mae`, the median over rounds in each of which both were timed. Besides, `machine` and what was asked.
    """
    rows: list[dict[str, Any]] = []
    baselines = list(dict.fromkeys(candidate.model.without_regions() for candidate in candidates))
    bench = _Bench(batch_size, repeats, fabric, report)
    for baseline in baselines:
        mine = [candidate for candidate in candidates if candidate.model.without_regions() == baseline]
        name = "MAE" if len(baselines) == 1 else f"MAE for {mine[0].name}"
        rows += _measure_beside(Candidate(name, baseline, mine[0].loss), mine, bench)
    return {
        "batch_size": batch_size,
        "repeats": repeats,
        "device": str(fabric.device),
        "threads": torch.get_num_threads(),
        "rows": rows,
        "machine": describe_machine(_PACKAGES),
    }


class _Bench(NamedTuple):
    """How everything is measured."""

    batch_size: int
    repeats: int
    fabric: Fabric
    report: Callable[[str], None]


def _measure_beside(mae: Candidate, others: Sequence[Candidate], bench: _Bench) -> list[dict[str, Any]]:
    """Rows of a MAE and of all models that are compared with it."""
    mae_step, mae_row = _measure(mae, mae.name, bench)
    rows, mae_times = [mae_row], []
    for candidate in others:
        if candidate.model.task != "mae":
            row, beside = _measure_in_turn(candidate, mae.name, mae_step, bench)
            rows.append(row)
            mae_times += beside
    if not mae_times:
        mae_times = times_side_by_side({"mae": mae_step}, repeats=bench.repeats)["mae"]
    mae_row |= {"step_ms": median(mae_times), "step_over_mae": 1.0}
    return [row | _over(row, mae_row) for row in rows]


def _measure_in_turn(
    candidate: Candidate, mae: str, mae_step: TrainingStep, bench: _Bench
) -> tuple[dict[str, Any], list[float]]:
    """Row of a model, and the milliseconds of the MAE beside it; the model is gone afterwards."""
    step, row = _measure(candidate, mae, bench)
    times = times_side_by_side({"mae": mae_step, "this": step}, repeats=bench.repeats)
    ratios = [this / beside for this, beside in zip(times["this"], times["mae"], strict=True)]
    return row | {"step_ms": median(times["this"]), "step_over_mae": median(ratios)}, times["mae"]


def _measure(candidate: Candidate, mae: str, bench: _Bench) -> tuple[TrainingStep, dict[str, Any]]:
    """A model's step, and what can be said of it without a clock."""
    bench.report(f"measuring {candidate.name}")
    step = TrainingStep(candidate.model, candidate.loss, batch_size=bench.batch_size, fabric=bench.fabric)
    step()  # the state of the optimiser is made in the first one
    macs = count_macs(candidate.model, candidate.loss, batch_size=bench.batch_size)
    return step, {
        "name": candidate.name,
        "mae": mae,
        **{f"macs_{part}": number for part, number in macs._asdict().items()},
        "parameters": step.num_parameters,
        "peak_memory_bytes": peak_memory(step, held=step.tensors(), device=bench.fabric.device),
    }


def _over(row: dict[str, Any], mae: dict[str, Any]) -> dict[str, float]:
    def macs(of: dict[str, Any]) -> int:
        return of["macs_forward"] + of["macs_backward"]

    return {
        "macs_over_mae": macs(row) / macs(mae),
        "forward_over_mae": row["macs_forward"] / mae["macs_forward"],
        "region_branch_over_mae": row["macs_region_branch"] / mae["macs_forward"],
        "parameters_over_mae": row["parameters"] / mae["parameters"],
        "peak_memory_over_mae": row["peak_memory_bytes"] / mae["peak_memory_bytes"],
    }


def count_by_num_regions(model: ModelConfig, loss: LossConfig) -> dict[str, dict[int, float]]:
    """Multiply-accumulates of a step, both passes, times MAE's: of each variant, for each of `NUMS_REGIONS`.

    Args:
        model: What the variants are of; where regions feed its pixels there is but the `length` variant.
        loss: How losses are weighted.

    Returns:
        For each variant, the ratio by number of regions; counted for one image by itself.
    """
    mae = count_macs(model.without_regions(), loss)
    variants = ("length",) if model.regions_feed_pixels else ("length", "batch", "channel")
    costs: dict[str, dict[int, float]] = {variant: {} for variant in variants}
    for variant, by_number in costs.items():
        for number in NUMS_REGIONS:
            macs = count_macs(replace(model, region_variant=variant, num_regions=number), loss)
            by_number[number] = (macs.forward + macs.backward) / (mae.forward + mae.backward)
    return costs
