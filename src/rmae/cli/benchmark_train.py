"""Measuring how fast training is."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse
from rmae.cli.preset_argument import preset_named, split_preset
from rmae.cli.region_sources import region_source_registry
from rmae.config import DataConfig, LossConfig, ModelConfig, PretrainConfig

if TYPE_CHECKING:
    from rmae.bench.step import TrainingStep

_DEFAULT_PRESET = "rmae-coco-vit-b-fh"


@dataclass(frozen=True, kw_only=True)
class BenchmarkArguments:
    """Time updates of a model beside those of its MAE, compiled beside not, on real data beside synthetic ones.

    The preset sets the defaults of the options of model, losses and images; the default one is rmae-coco-vit-b-fh. An
    update is all of it: forward and backward pass, norm of the gradient, guard and optimiser. Sides of a comparison are
    timed in turn, and ratios are medians over rounds. On two cores and without a GPU a run takes about a minute.
    """

    data: Path | None = None
    """Folder of real images; None = scikit-image's photographs. Regions that no store has are made first."""
    batch_size: int | None = None
    """Images in a step; None = 1024 on a GPU, 4 without one."""
    compile: Literal["auto", "both", "on", "off"] = "auto"
    """Whether to compile; auto = both on a GPU, off without one, where compiling takes a minute or more."""
    repeats: int | None = None
    """Rounds in which sides are timed in turn; None = 5 on a GPU, 3 without one."""
    seconds: float = 1.0
    """About how long a side is timed in a round; at least one step."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Device to measure on."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic of the model; auto = bf16 on a GPU, float32 without one."""
    checkpoint_activations: bool = False
    """Compute activations again in the backward pass, which takes less memory and more time."""
    num_threads: int | None = None
    """Threads of the arithmetic on a CPU; None = as torch chooses."""
    json: Path | None = None
    """File for the figures; None = none."""
    profile: Path | None = None
    """File for a table of the 25 operators that take most of the model's time, compiled if it is; None = none."""
    model: ModelConfig
    loss: LossConfig
    images: DataConfig


def benchmark_train(arguments: list[str]) -> None:
    """Time training."""
    name, flags = split_preset(arguments)
    base = preset_named(name or _DEFAULT_PRESET)
    chosen = parse(
        BenchmarkArguments,
        "benchmark train",
        flags,
        default=BenchmarkArguments(model=base.model, loss=base.loss, images=base.data),
        operands="[PRESET]",
        registry=region_source_registry(base.data.regions),
    )
    _check(chosen)
    config = replace(base, model=chosen.model, loss=chosen.loss, data=chosen.images)

    measured = _measure(chosen, config)
    print(_table(measured))
    if chosen.json is not None:
        from rmae.files import write_json

        command = shlex.join(["rmae", "benchmark", "train", *arguments])
        write_json(chosen.json, {"command": command, **measured})


def _check(chosen: BenchmarkArguments) -> None:
    for flag, number in (
        ("batch-size", chosen.batch_size),
        ("repeats", chosen.repeats),
        ("num-threads", chosen.num_threads),
    ):
        if number is not None and number < 1:
            raise UsageError(f"--{flag} is {number}; it must be at least 1")
    if not 0 < chosen.seconds < float("inf"):
        raise UsageError(f"--seconds is {chosen.seconds}; it must be a number above 0")
    check_output_file("json", chosen.json)
    check_output_file("profile", chosen.profile)


def _measure(chosen: BenchmarkArguments, config: PretrainConfig) -> dict[str, Any]:
    import torch

    from rmae.bench.real_batches import prepare_real_batches
    from rmae.bench.training import Timing, measure_training
    from rmae.training.devices import build_fabric, check_accelerator

    check_accelerator(chosen.accelerator)
    on_gpu = chosen.accelerator != "cpu" and torch.cuda.is_available()
    precision = chosen.precision
    if precision == "auto":
        precision = "bf16" if on_gpu else "float32"
    if chosen.num_threads is not None:
        torch.set_num_threads(chosen.num_threads)
    timing = Timing(
        batch_size=chosen.batch_size or (1024 if on_gpu else 4),
        repeats=chosen.repeats or (5 if on_gpu else 3),
        seconds=chosen.seconds,
        fabric=build_fabric(accelerator="gpu" if on_gpu else "cpu", precision=precision),
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
        checkpoint_activations=chosen.checkpoint_activations,
        report=_report,
    )
    modes = {"both": (False, True), "on": (True,), "off": (False,), "auto": (False, True) if on_gpu else (False,)}
    optimizer = replace(config.optimizer, batch_size=timing.batch_size, accumulate=1)
    config = replace(config, optimizer=optimizer)
    with prepare_real_batches(config, chosen.data, device=timing.fabric.device) as open_real:
        measured = measure_training(
            config.model,
            config.loss,
            modes=modes[chosen.compile],
            timing=timing,
            open_real=open_real,
            inspect=lambda step: _profile(step, chosen.profile),
            keep=lambda rows: _keep(rows, chosen.json),
        )
    return {"precision": precision, "data": None if chosen.data is None else str(chosen.data), **measured}


def _keep(rows: Sequence[dict[str, Any]], path: Path | None) -> None:
    """Write down what is known so far: the rest may run out of memory or of time."""
    if path is None:
        return
    from rmae.files import write_json

    write_json(path, {"unfinished": True, "rows": list(rows)})


def _profile(step: "TrainingStep", path: Path | None) -> None:
    if path is None:
        return
    from rmae.bench.operators import slowest_operators
    from rmae.files import write_atomically

    _report("profiling")
    write_atomically(path, slowest_operators(step) + "\n")


def _report(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _table(measured: dict[str, Any]) -> str:
    """A line for each candidate, and below them what the comparisons say."""
    lines = [("", "forward half", "data", "step", "images/s", "MFU", "peak memory")]
    for row in measured["rows"]:
        peak = row.get("peak_memory_bytes")
        lines.append(
            (
                row["name"],
                "compiled" if row["compiled"] else "not compiled",
                row["data"],
                f"{row['step_ms']:,.0f} ms",
                f"{row['images_per_s']:,.1f}",
                f"{row['mfu']:.1%}",
                "" if peak is None else f"{peak / 1e6:,.0f} MB",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = "\n".join(
        "  ".join(
            f"{cell:<{width}}" if place < 3 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
    return f"{table}\n\n{_comparisons(measured)}"


def _comparisons(measured: dict[str, Any]) -> str:
    sentences = [
        f"A step takes {measured['rmae_over_mae']:.3f} times as long as MAE's.",
        f"Real data give {measured['real_over_synthetic']:.1%} of the images a second of synthetic data.",
    ]
    if measured["compiled_over_eager"] is not None:
        sentences.append(f"Compiling gives {measured['compiled_over_eager']:.3f} times the images a second.")
    if measured["saved_bytes_per_image"] is not None:
        sentences.append(
            f"Not compiled, {measured['saved_bytes_per_image'] / 1e6:,.1f} MB an image are held for the backward pass, "
            f"{measured['saved_bytes_over_written_out_attention']:.3f} times those of attention that is not fused."
        )
    sentences.append(
        f"MFU is the share of a matrix product's {measured['matmul_flops_per_s'] / 1e12:,.2f} TFLOP/s. A step has "
        f"{measured['batch_size']:,} images, in {measured['precision']} on {measured['device']}."
    )
    return "\n".join(sentences)
