"""Measuring what a sample costs."""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse
from rmae.cli.region_sources import region_source_registry
from rmae.config import DataConfig, ModelConfig, OptimizerConfig, PretrainConfig
from rmae.config.data import AnySource
from rmae.regions.felzenszwalb import Felzenszwalb

_STAGES_IN_WORDS = {
    "read": "read the bytes",
    "decode": "decode",
    "crop": "cut and resize",
    "read_regions": "read regions",
    "draw_regions": "draw regions and mask",
    "collate": "put into a batch",
    "rest": "the rest",
}


@dataclass(frozen=True, kw_only=True)
class BenchmarkArguments:
    """Measure what a sample costs stage by stage, with and without regions, beside a plain decode with Pillow.

    CPU time is that of one thread; images a second are counted for each number of worker processes. Everything is timed
    in turn, and medians over rounds are reported.
    """

    data: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[DATA]", help_behavior_hint="")] = ()
    """Folder of images as training takes it: files, Parquet files, or shards; it is read as it is.
    Regions that it lacks are made first and deleted afterwards.
    None given = scikit-image's photographs in colour, packed with their regions."""
    regions: AnySource = field(default_factory=Felzenszwalb)
    """Where regions come from, as in rmae pretrain."""
    num_regions: int = 8
    """Regions drawn for each image, at least 1."""
    img_size: int = 224
    """Side of the crop in pixels, a multiple of 16."""
    batch_size: int = 64
    """Samples in a batch, at least 1; in a round the samples of one batch are made."""
    num_images: int | None = 256
    """Images to take, at least 1, evenly spread over the data; None = all."""
    short_side: int | None = 256
    """Pixels of the shorter side of scikit-image's photographs when they are packed; None = they keep their size."""
    repeats: int = 5
    """Rounds in which everything is timed in turn, at least 1."""
    seconds: float = 1.0
    """How long images are counted for each number of workers in a round, above 0; at least a batch of each worker."""
    num_workers: tuple[int, ...] | None = None
    """Numbers of worker processes to try, as in 0 1 2; None = none, one and powers of two up to the number of cores."""
    json: Path | None = None
    """File for the figures; None = none."""


def benchmark_data(arguments: list[str]) -> None:
    """Measure what a sample costs."""
    chosen = parse(BenchmarkArguments, "benchmark data", arguments, registry=region_source_registry(None))
    _check(chosen)
    config = _config(chosen)

    from rmae.bench.data import LoaderTiming, measure_data, prepare_images

    root = chosen.data[0] if chosen.data else None
    num_workers = _up_to(len(os.sched_getaffinity(0))) if chosen.num_workers is None else chosen.num_workers
    timing = LoaderTiming(repeats=chosen.repeats, seconds=chosen.seconds, num_workers=num_workers)
    with prepare_images(root, config, num_images=chosen.num_images, short_side=chosen.short_side) as (
        images,
        prepared,
    ):
        measured = measure_data(images, prepared, timing)
    print(_table(measured))
    if chosen.json is not None:
        from rmae.config_json import describe_source
        from rmae.files import write_json

        figures = {
            "command": shlex.join(["rmae", "benchmark", "data", *arguments]),
            "data": None if root is None else str(root),
            "short_side": chosen.short_side if root is None else None,
            "regions": describe_source(chosen.regions),
            **measured,
        }
        write_json(chosen.json, figures)


def _check(chosen: BenchmarkArguments) -> None:
    # An optional operand would not do: after an unknown option it is complained about instead.
    if len(chosen.data) > 1:
        raise UsageError(f"there are {len(chosen.data)} folders, of which {chosen.data[1]} is the second; give one")
    for flag, number in (
        ("num-regions", chosen.num_regions),
        ("batch-size", chosen.batch_size),
        ("num-images", chosen.num_images),
        ("short-side", chosen.short_side),
        ("repeats", chosen.repeats),
    ):
        if number is not None and number < 1:
            raise UsageError(f"--{flag} is {number}; it must be at least 1")
    if not 0 < chosen.seconds < float("inf"):
        raise UsageError(f"--seconds is {chosen.seconds}; it must be a number above 0")
    for number in chosen.num_workers or ():
        if number < 0:
            raise UsageError(f"--num-workers is {number}; it must be at least 0")
    if chosen.regions is None:
        raise UsageError("--regions is none, but samples with regions are compared with those without; name a source")
    check_output_file("json", chosen.json)


def _config(chosen: BenchmarkArguments) -> PretrainConfig:
    """A run with such samples; what else it says is of no effect on them."""
    try:
        model = ModelConfig(img_size=chosen.img_size, num_regions=chosen.num_regions)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return PretrainConfig(
        name="benchmark",
        model=model,
        data=DataConfig(regions=chosen.regions),
        optimizer=OptimizerConfig(batch_size=chosen.batch_size),
    )


def _up_to(num_cores: int) -> tuple[int, ...]:
    """No worker, one, and powers of two up to the number of cores."""
    return 0, *(2**power for power in range(num_cores.bit_length()))


def _table(measured: dict[str, Any]) -> str:
    """CPU time of the stages and of what they are compared with, images a second, and what was asked."""
    with_regions, without = measured["cpu_ms_per_sample"], measured["cpu_ms_per_sample_without_regions"]
    times_decode = f"{measured['sample_over_pillow_decode']:.3f} times as much"
    rows = [
        *((words, f"{measured['stages'][stage]:.3f} ms") for stage, words in _STAGES_IN_WORDS.items()),
        ("", ""),
        ("a sample", f"{with_regions:.3f} ms"),
        ("without regions", f"{without:.3f} ms; with regions {measured['regions_over_none']:.3f} times as much"),
        ("Pillow's plain decode", f"{measured['pillow_decode_ms']:.3f} ms; a sample {times_decode}"),
        ("to the device", f"{measured['bytes_per_sample']:,.0f} bytes a sample"),
        ("", ""),
        *(
            (
                f"{rate['num_workers']} worker{'' if rate['num_workers'] == 1 else 's'}",
                f"{rate['with_regions']:,.0f} images/s; without regions {rate['without_regions']:,.0f}",
            )
            for rate in measured["images_per_s"]
        ),
    ]
    first = max(len(name) for name, _ in rows)
    lines = [f"{name:<{first}}  {figure}".rstrip() for name, figure in rows]
    return "\n".join([*lines, "", _what_was_measured(measured)])


def _what_was_measured(measured: dict[str, Any]) -> str:
    height, width = measured["image_hw"]
    skipped = measured["num_samples_skipped"]
    return (
        f"Milliseconds are of CPU on one thread, for crops of {width} x {height} pixels with {measured['num_regions']} "
        f"regions: {measured['num_samples']:,} from {measured['num_images']:,} images"
        f"{f', and {skipped:,} that could not be used' if skipped else ''}."
    )
