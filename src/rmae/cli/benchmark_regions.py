"""Measuring how regions are made."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse


def benchmark_regions(arguments: list[str]) -> None:
    """Measure the making of regions."""

    @dataclass(frozen=True, kw_only=True)
    class BenchmarkArguments:
        """Measure the making of regions beside scikit-image's and OpenCV's, on one thread.

        How small regions are stored, and how fast they are read and drawn, is measured too.
        """

        data: Path | None = None
        """Folder of photographs; None = the colour photographs that come with scikit-image."""
        num_images: int = 20
        """Photographs to measure, at least 1."""
        size: tuple[int, int] = (480, 640)
        """Height and width in pixels to which they are cut and resized."""
        repeats: int = 5
        """How often everything is timed on each, at least 1."""
        json: Path | None = None
        """File for the figures; None = none."""

    chosen = parse(BenchmarkArguments, "benchmark regions", arguments)
    for name, least, value in (
        ("num-images", 1, chosen.num_images),
        ("repeats", 1, chosen.repeats),
        ("size", 2, min(chosen.size)),
    ):
        if value < least:
            raise UsageError(f"--{name} is {value}; it must be at least {least}")
    check_output_file("json", chosen.json)

    from rmae.bench.regions import measure_regions
    from rmae.data.image_set import ImageSet
    from rmae.data.layouts import list_images
    from rmae.data.photographs import IN_COLOUR, photographs_folder
    from rmae.files import write_json

    images = ImageSet(photographs_folder(), IN_COLOUR) if chosen.data is None else list_images(chosen.data)
    measured = measure_regions(
        images._replace(names=images.names[: chosen.num_images]), size_hw=chosen.size, repeats=chosen.repeats
    )
    print(_in_words(measured))
    if chosen.json is not None:
        command = shlex.join(["rmae", "benchmark", "regions", *arguments])
        write_json(chosen.json, {"command": command, **measured})


def _in_words(measured: dict) -> str:
    store, hours = measured["store"], measured["core_hours"]
    opencv = "not installed" if measured["ms_opencv"] is None else f"{measured['ms_opencv']:.1f} ms"
    height, width = measured["size_hw"]
    rows = [
        ("photographs", f"{measured['num_photographs']} at {width} x {height}, one thread"),
        ("one scale", f"{measured['ms']:.1f} ms"),
        ("three scales", f"{measured['ms_three_scales']:.1f} ms, {measured['three_scales_over_one']:.2f} times one"),
        ("scikit-image, one scale", f"{measured['ms_skimage']:.1f} ms"),
        ("OpenCV, one scale", opencv),
        ("times faster than scikit-image", f"{measured['ratio_to_skimage']:.1f}"),
        ("same labels as scikit-image", f"{measured['labels_equal']:.0%} of the photographs"),
        ("slowest photograph over median", f"{measured['slowest_over_median']:.2f}"),
        ("COCO, three scales", _hours(hours["coco"])),
        ("ImageNet, one scale", _hours(hours["imagenet"])),
        ("stored, three scales", f"{store['bytes_per_image'] / 1e3:.1f} kB an image"),
        ("read and draw 8 regions", f"{store['ms_read_and_draw']:.2f} ms"),
        ("stored, 100 overlapping masks", f"{store['bytes_per_image_of_100_masks'] / 1e3:.1f} kB an image"),
        ("read and draw 8 of 100 masks", f"{store['ms_read_and_draw_of_100_masks']:.2f} ms"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {figure}" for name, figure in rows)


def _hours(hours: dict[str, float]) -> str:
    return f"{hours['ours']:.1f} core-hours (scikit-image {hours['skimage']:.1f})"
