"""How fast training is: R-MAE beside MAE, compiled beside not, real data beside synthetic."""

import gc
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric

from rmae.bench.machine import describe_machine
from rmae.bench.macs import StepMacs, count_macs
from rmae.bench.matrix_product import matrix_product_rate
from rmae.bench.memory import peak_memory
from rmae.bench.real_batches import RealBatches
from rmae.bench.saved_bytes import WrittenOutAttention, saved_bytes
from rmae.bench.step import TrainingStep, example_batch
from rmae.bench.stopwatch import rounds_side_by_side
from rmae.config import LossConfig, ModelConfig

_PACKAGES = ("torch", "timm", "lightning-fabric", "numpy", "pillow", "numba")
_SECONDS_TO_DRAIN = 4.0


class Timing(NamedTuple):
    """How everything is measured."""

    batch_size: int
    """Images in a step."""
    repeats: int
    """Rounds, in each of which both sides of a comparison are timed."""
    seconds: float
    """About how long one side is timed in a round; at least one step."""
    fabric: Fabric
    """Device and precision."""
    dtype: torch.dtype
    """Of the matrix products of that precision."""
    checkpoint_activations: bool
    """Whether activations are computed again in the backward pass."""
    report: Callable[[str], None]
    """Is told what is being measured."""


def measure_training(
    model: ModelConfig,
    loss: LossConfig,
    *,
    modes: Sequence[bool],
    timing: Timing,
    open_real: Callable[[], AbstractContextManager[RealBatches]],
    inspect: Callable[[TrainingStep], None] = lambda step: None,
    keep: Callable[[Sequence[dict[str, Any]]], None] = lambda rows: None,
) -> dict[str, Any]:
    """Time a model's updates beside those of its MAE, and on real data beside synthetic ones.

    At most two models are in memory at a time, whose updates are timed in turn.

    Args:
        model: Of a task with regions, or a MAE, which is its own MAE then.
        loss: How losses are weighted.
        modes: Whether the forward half is compiled: False, True, or both in this order.
        timing: How everything is measured.
        open_real: Opens real batches for the model; its loader works from then on.
        inspect: Is given the model's step of the last mode when all else was measured.
        keep: Is given the rows that are finished so far, after each comparison.

    Returns:
        What `json.dumps` takes: `rows`, one for each candidate, and of the model in the last of the modes
        `images_per_s` (synthetic data), `images_per_s_real`, `mfu`, `rmae_over_mae` (time of an update),
        `real_over_synthetic` and `compiled_over_eager` (images a second; the latter None with one mode),
        `peak_memory_bytes`; `saved_bytes_per_image` and
        `saved_bytes_over_written_out_attention` of the forward pass that is not compiled (None where there is none),
        `matmul_flops_per_s`, `machine`, and what was asked. Ratios are medians over rounds.
    """
    timing.report("measuring a matrix product")
    bench = _Bench(loss, timing)
    bench.measure_best()
    step, rows, ratios = _measure_modes(bench, model, modes, keep)
    with open_real() as real:
        real_row, ratios["real_over_synthetic"] = bench.on_real_data(step, rows[-2], real)
    keep([*rows, real_row])
    inspect(step)
    timing.report("measuring the matrix product again")
    bench.measure_best()
    for row in (*rows, real_row):
        row["mfu"] = bench.utilisation(row)
    chosen, eager = rows[-2], next((row for row in rows if not row["compiled"]), {})
    return {
        **{name: chosen[name] for name in ("images_per_s", "mfu", "peak_memory_bytes")},
        "images_per_s_real": real_row["images_per_s"],
        **ratios,
        **{name: eager.get(name) for name in ("saved_bytes_per_image", "saved_bytes_over_written_out_attention")},
        "matmul_flops_per_s": bench.matmul_rate,
        "rows": [*rows, real_row],
        **_describe(timing),
    }


def _measure_modes(
    bench: "_Bench", model: ModelConfig, modes: Sequence[bool], keep: Callable[[Sequence[dict[str, Any]]], None]
) -> tuple[TrainingStep, list[dict[str, Any]], dict[str, float | None]]:
    """The model's step of the last mode, the rows of the model and its MAE in each mode, and the ratios of the last."""
    name = {"mae": "MAE itself", "rae": "RAE", "rmae": "R-MAE"}[model.task]
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float | None] = {"compiled_over_eager": None}
    this: TrainingStep | None = None
    for compiled in modes:
        other, (this, row) = this, bench.make(name, model, compiled)
        rows.append(row)
        if other is not None:
            seconds = bench.compare(row, this, rows[0], other)
            ratios["compiled_over_eager"] = _median_ratio(seconds[1], seconds[0])
        del other
        mae, mae_row = bench.make("MAE", model.without_regions(), compiled)
        seconds = bench.compare(row, this, mae_row, mae)
        row["rmae_over_mae"] = ratios["rmae_over_mae"] = _median_ratio(*seconds)
        rows.append(mae_row)
        keep(rows)
        del mae
    assert this is not None
    return this, rows, ratios


def _describe(timing: Timing) -> dict[str, Any]:
    device = timing.fabric.device
    return {
        "batch_size": timing.batch_size,
        "repeats": timing.repeats,
        "seconds": timing.seconds,
        "checkpoint_activations": timing.checkpoint_activations,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "threads": torch.get_num_threads(),
        "machine": describe_machine(_PACKAGES),
    }


def model_flops_utilisation(macs: StepMacs, *, images_per_s: float, flops_per_s: float) -> float:
    """Share of a machine's speed that goes into the arithmetic that the model needs.

    Args:
        macs: Of both passes for one image, recomputing nothing.
        images_per_s: Speed of training.
        flops_per_s: Speed of the machine; a multiply-accumulate is two operations.

    Returns:
        In [0, 1], if the machine's speed is its best.
    """
    return 2 * (macs.forward + macs.backward) * images_per_s / flops_per_s


class _Bench:
    """What all comparisons share."""

    def __init__(self, loss: LossConfig, timing: Timing) -> None:
        self.loss = loss
        self.timing = timing
        self.matmul_rate = 0.0

    def measure_best(self) -> None:
        """Measure a matrix product; the fastest of all is what steps are compared with."""
        rate = matrix_product_rate(self.timing.fabric.device, self.timing.dtype)
        self.matmul_rate = max(self.matmul_rate, rate)

    def utilisation(self, row: dict[str, Any]) -> float:
        """Model-FLOPs utilisation of a row that has its speed."""
        macs = StepMacs(**row["macs"])
        return model_flops_utilisation(macs, images_per_s=row["images_per_s"], flops_per_s=self.matmul_rate)

    def make(self, name: str, model: ModelConfig, compiled: bool) -> tuple[TrainingStep, dict[str, Any]]:
        """A candidate, warm, and its row without times."""
        timing = self.timing
        timing.report(f"measuring {name}, {'compiled' if compiled else 'not compiled'}")
        gc.collect()  # wrappers form cycles, and the one before may still hold its model
        step = TrainingStep(
            model,
            self.loss,
            batch_size=timing.batch_size,
            fabric=timing.fabric,
            compiled=compiled,
            checkpoint_activations=timing.checkpoint_activations,
        )
        step()  # compiles, and makes the state of the optimiser
        row = {
            "name": name,
            "compiled": compiled,
            "data": "synthetic",
            "parameters": step.num_parameters,
            "macs": count_macs(model, self.loss, batch_size=timing.batch_size)._asdict(),
            "peak_memory_bytes": peak_memory(step, held=step.tensors(), device=timing.fabric.device),
        }
        return step, row if compiled else row | _saved(step, model, timing.fabric.device)

    def compare(
        self, row: dict[str, Any], this: TrainingStep, other_row: dict[str, Any], other: TrainingStep
    ) -> tuple[list[float], list[float]]:
        """Time two candidates in turn; their rows get their times, and their seconds an update are returned."""
        sides = [(lambda step=step: step.update(step.batch)) for step in (this, other)]
        seconds = rounds_side_by_side(sides, self.timing.repeats, self.timing.seconds, wait=this.wait)
        row |= self.speed(seconds[0])
        other_row |= self.speed(seconds[1])
        return seconds[0], seconds[1]

    def on_real_data(self, step: TrainingStep, row: dict[str, Any], real: RealBatches) -> tuple[dict[str, Any], float]:
        """The row of a candidate on real data, and its images a second over those on synthetic data."""
        self.timing.report(f"measuring {row['name']} on real data")
        # What stands ready from before would flatter the loader, which had the time of the other side to make it. Where
        # steps are so slow that this takes long, batches are ready in time anyway.
        num_to_drain = min(real.num_ahead, math.ceil(_SECONDS_TO_DRAIN * row["images_per_s"] / self.timing.batch_size))

        def drain() -> None:
            for _ in range(num_to_drain):
                step.update(next(real.batches))

        def rest() -> None:  # until the loader stands still: what it does would slow down the other side
            time.sleep(num_to_drain * self.timing.batch_size / row["images_per_s"])

        sides = [lambda: step.update(step.batch), lambda: step.update(next(real.batches))]
        before: list[Callable[[], None]] = [rest, drain]
        seconds = rounds_side_by_side(
            sides, self.timing.repeats, self.timing.seconds, wait=step.wait, before_round=before
        )
        real_row = {key: row[key] for key in ("name", "compiled", "parameters", "macs")} | {"data": "real"}
        return real_row | self.speed(seconds[1]), _median_ratio(seconds[0], seconds[1])

    def speed(self, seconds: Sequence[float]) -> dict[str, float]:
        """What follows from the seconds of an update in each round."""
        return {"step_ms": 1000 * median(seconds), "images_per_s": self.timing.batch_size / median(seconds)}


def _saved(step: TrainingStep, model: ModelConfig, device: torch.device) -> dict[str, float]:
    """What autograd holds for each image, and how much that is of what it would hold if attention were written out.

    That is what two more images add: what does not grow with a batch is left out, as are half-precision weights.
    """

    def measure() -> float:
        few, more = (example_batch(model, batch_size=number, device=device) for number in (2, 4))
        held = [
            saved_bytes(
                lambda batch=batch: step.forward(batch).total,
                besides=[*step.tensors(), *(tensor for tensor in batch.tensors() if tensor is not None)],
            )
            for batch in (few, more)
        ]
        return (held[1] - held[0]) / 2

    fused = measure()
    with WrittenOutAttention():
        written_out = measure()
    return {"saved_bytes_per_image": fused, "saved_bytes_over_written_out_attention": fused / written_out}


def _median_ratio(seconds: Sequence[float], beside: Sequence[float]) -> float:
    return median(this / other for this, other in zip(seconds, beside, strict=True))
