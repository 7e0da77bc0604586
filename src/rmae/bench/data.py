"""What a sample costs: CPU time stage by stage, with and without regions, and images a second."""

import io
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple

import torch
from PIL import Image

from rmae.bench.machine import describe_machine
from rmae.bench.real_batches import endless_order
from rmae.config import PretrainConfig
from rmae.config.data import AnySource
from rmae.data.crops import crop_image
from rmae.data.decoding import reduction_for
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.loader import open_batches
from rmae.data.order import BatchOrder, SampleKey, sample_generator
from rmae.data.packing import Packing, pack_images
from rmae.data.photographs import IN_COLOUR, photographs_folder
from rmae.data.samples import Batch, PretrainSamples, Sample, collate
from rmae.data.share import Share
from rmae.data.training_regions import make_training_regions, with_region_store
from rmae.regions.inside import Inside
from rmae.regions.label_runs import LabelRuns
from rmae.regions.live import Live

STAGES: tuple[str, ...] = ("read", "decode", "crop", "read_regions", "draw_regions", "collate", "rest")
"""Bytes of the picture; header and pixels; cutting and resizing; regions of the image; those of the crop, with the
permutation that masks; a batch of samples; the generator, the box of the crop and what holds the stages together."""

_PACKAGES = ("numpy", "numba", "pillow", "torch", "zstandard")


class LoaderTiming(NamedTuple):
    """How long to measure."""

    repeats: int
    """Rounds in which the sides of a comparison are timed in turn, at least 1."""
    seconds: float
    """How long images are counted for each number of workers in a round, above 0; at least a batch of each worker."""
    num_workers: tuple[int, ...]
    """Numbers of worker processes to try; 0 = none, the images are read in this process."""


@contextmanager
def prepare_images(
    root: Path | None, config: PretrainConfig, *, num_images: int | None, short_side: int | None
) -> Iterator[tuple[ImageSet, PretrainConfig]]:
    """Find images and make the regions that they lack, in a folder that is deleted when the block ends.

    Args:
        root: Folder of images as training takes it: files, Parquet files, or shards. It is read as it is. None =
            scikit-image's photographs in colour, which are packed with their regions first.
        config: The run whose samples are measured.
        num_images: Take as many, evenly spread over all; None = all.
        short_side: Pixels of the shorter side of the packed photographs; None = as they are.

    Yields:
        The images, and the configuration with what finds their regions, and as many crops as fill a batch.

    Raises:
        ValueError: As `list_images`, `pack_images` and `make_training_regions`.
    """
    with TemporaryDirectory() as scratch:
        with redirect_stdout(sys.stderr):  # standard output is for the figures
            if root is None:
                images, source = _pack_photographs(config, Path(scratch) / "packed", num_images, short_side)
            else:
                source = config.data.regions
                column = source.column if isinstance(source, Inside) else None
                images = _spread(list_images(root.resolve(), regions_column=column), num_images)
            crops = math.ceil(config.optimizer.batch_size / len(images.names))
            config = replace(config, data=replace(config.data, regions=source, crops_per_image=crops))
            config = with_region_store(config, images, beside=Path(scratch) / "run")
            make_training_regions(config, images)
        yield images, config


def _pack_photographs(
    config: PretrainConfig, folder: Path, num_images: int | None, short_side: int | None
) -> tuple[ImageSet, AnySource]:
    """Pack scikit-image's photographs with their regions, or without those that are made anew each time."""
    source = config.data.regions
    is_live = isinstance(source, Live)
    packing = Packing(short_side=short_side, regions=None if is_live else source, max_pixels=config.data.max_pixels)
    pack_images(_spread(ImageSet(photographs_folder(), IN_COLOUR), num_images), folder, packing, share=Share(0, 1))
    return list_images(folder), source if is_live else Inside()


def _spread(images: ImageSet, num_images: int | None) -> ImageSet:
    """As many images as are wanted, evenly spread over all."""
    total = len(images.names)
    if num_images is None or num_images >= total:
        return images
    return images._replace(names=tuple(images.names[i * total // num_images] for i in range(num_images)))


def measure_data(images: ImageSet, config: PretrainConfig, timing: LoaderTiming) -> dict[str, Any]:
    """Measure what samples cost with and without regions, beside decoding the same pictures with Pillow.

    CPU time is that of this process on one thread. In each round the samples of one batch are made with regions,
    without, and stage by stage, and their pictures are decoded, all in turn; what is reported are medians over rounds,
    and ratios are medians of each round's ratio. Images a second are counted as training loads them, once the workers
    have started and what they made ahead is used up; a process takes one thread there too.

    Args:
        images: What `prepare_images` yields.
        config: The configuration that it yields.
        timing: How long to measure.

    Returns:
        What `json.dumps` takes. Times are milliseconds of CPU a sample, its share of `collate` included:
        `cpu_ms_per_sample`, `cpu_ms_per_sample_without_regions`, `pillow_decode_ms` and `stages`. `bytes_per_sample` is
        what goes to the device.

    Raises:
        ValueError: None of the images can be used.
    """
    samples, plain = (
        PretrainSamples(images, data=config.data, model=model, seed=config.run.seed)
        for model in (config.model, config.model.without_regions())
    )
    order = endless_order(samples, config)
    keys = next(iter(order))
    with _one_thread():
        usable = [key for key in keys if not samples[key].skipped]
        if not usable:
            raise ValueError(f"none of the {len(keys)} images that were drawn from {images.root} can be used")
        staged = StagedSamples(images, config)
        encoded = [staged.ahead.read(samples.name_of(key)) for key in usable]
        rounds = _time_samples(samples, plain, staged, usable, encoded, timing.repeats)
        rates = [_compare_rates(samples, plain, order, number, timing) for number in timing.num_workers]
        batch = collate([samples[key] for key in usable])
    return {
        "bytes_per_sample": bytes_per_sample(batch),
        **summarise(rounds),
        "images_per_s": rates,
        "num_images": len(images.names),
        "num_samples": len(usable),
        "num_samples_skipped": len(keys) - len(usable),
        "encoded_bytes_per_sample": sum(map(len, encoded)) / len(encoded),
        "batch_size": config.optimizer.batch_size,
        "image_hw": list(config.model.image_hw),
        "num_regions": config.model.num_regions,
        "repeats": timing.repeats,
        "seconds": timing.seconds,
        "machine": describe_machine(_PACKAGES),
    }


def _time_samples(
    samples: PretrainSamples,
    plain: PretrainSamples,
    staged: "StagedSamples",
    keys: Sequence[SampleKey],
    encoded: Sequence[bytes],
    repeats: int,
) -> list[dict[str, float]]:
    """Milliseconds of CPU a sample of everything in each round; a round before them is not counted."""
    calls: list[Callable[[], dict[str, float]]] = [
        lambda: {"cpu_ms_per_sample": _cpu_ms(lambda: collate([samples[key] for key in keys]))},
        lambda: {"cpu_ms_per_sample_without_regions": _cpu_ms(lambda: collate([plain[key] for key in keys]))},
        lambda: {"pillow_decode_ms": _cpu_ms(lambda: [_decode(picture) for picture in encoded])},
        lambda: staged.time(keys),
    ]
    rounds = []
    for _ in range(repeats + 1):
        rounds.append({name: ms / len(keys) for call in calls for name, ms in call().items()})
    return rounds[1:]


def summarise(rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Take medians of rounds, and medians of the ratios in each."""

    def middle(name: str) -> float:
        return median(times[name] for times in rounds)

    def ratio(name: str, other: str) -> float:
        return median(times[name] / times[other] for times in rounds)

    return {
        "cpu_ms_per_sample": middle("cpu_ms_per_sample"),
        "cpu_ms_per_sample_without_regions": middle("cpu_ms_per_sample_without_regions"),
        "regions_over_none": ratio("cpu_ms_per_sample", "cpu_ms_per_sample_without_regions"),
        "pillow_decode_ms": middle("pillow_decode_ms"),
        "sample_over_pillow_decode": ratio("cpu_ms_per_sample", "pillow_decode_ms"),
        "stages": {stage: middle(stage) for stage in STAGES},
    }


def bytes_per_sample(batch: Batch) -> float:
    """Bytes of a batch's tensors for each of its samples."""
    return sum(tensor.nbytes for tensor in batch.tensors() if tensor is not None) / len(batch.images)


class StagedSamples:
    """Makes the same samples as `PretrainSamples`, with a stop after every stage.

    Args:
        images: The files.
        config: The run.
    """

    def __init__(self, images: ImageSet, config: PretrainConfig) -> None:
        self.ahead = _ReadAhead(images)
        """Reads the bytes before they are decoded."""
        self._seed = config.run.seed
        self._size_hw = config.model.image_hw
        self._samples = PretrainSamples(
            images._replace(container=self.ahead), data=config.data, model=config.model, seed=self._seed
        )

    def make(self, key: SampleKey, done: Callable[[str], None]) -> Sample:
        """Make a sample whose image can be used; `done` is called with the name of each stage at its end."""
        samples = self._samples
        name, generator = samples.name_of(key), sample_generator(self._seed, key)
        done("rest")
        self.ahead.read(name)
        done("read")
        with samples.open(name) as image:
            done("decode")
            crop = samples.draw_crop(image, generator)
            step = reduction_for(image, crop, self._size_hw)
            done("rest")
            decoded = image.pixels(step)
            done("decode")
            pixels = crop_image(decoded, crop.reduced(step), self._size_hw)
            done("crop")
            runs = samples.read_regions(image, name)
            done("read_regions")
        drawn = samples.draw_regions(runs, crop, generator)
        done("draw_regions")
        return Sample(pixels, *drawn, ())

    def time(self, keys: Sequence[SampleKey]) -> dict[str, float]:
        """Make samples and a batch of them; returns milliseconds of CPU of each stage, over all samples."""
        milliseconds = dict.fromkeys(STAGES, 0.0)
        last = time.process_time()

        def done(stage: str) -> None:
            nonlocal last
            now = time.process_time()
            milliseconds[stage] += 1000 * (now - last)
            last = now

        made = [self.make(key, done) for key in keys]
        done("rest")
        batch = collate(made)
        done("collate")
        assert len(batch.images) == len(keys)
        return milliseconds


class _ReadAhead:
    """Reads one encoded image after the other, which can then be opened without reading."""

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        self._encoded = b""

    def read(self, name: str) -> bytes:
        """Read an encoded image, to be opened next."""
        container = self._images.container
        with (self._images.root / name).open("rb") if container is None else container.open(name) as file:
            self._encoded = file.read()
        return self._encoded

    @property
    def region_settings(self) -> dict[str, Any] | None:
        return None if self._images.container is None else self._images.container.region_settings

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self._encoded)

    def regions(self, name: str) -> LabelRuns:
        assert self._images.container is not None, "files have no regions inside"
        return self._images.container.regions(name)


def _cpu_ms(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return 1000 * (time.process_time() - start)


def _decode(encoded: bytes) -> None:
    with Image.open(io.BytesIO(encoded)) as image:
        image.load()


@contextmanager
def _one_thread() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def _compare_rates(
    samples: PretrainSamples, plain: PretrainSamples, order: BatchOrder, num_workers: int, timing: LoaderTiming
) -> dict[str, float]:
    """Images a second with and without regions, counted in turn."""
    both = [
        [_images_per_s(side, order, num_workers, timing.seconds) for side in (samples, plain)]
        for _ in range(timing.repeats)
    ]
    with_regions, without_regions = (median(rates) for rates in zip(*both, strict=True))
    return {"num_workers": num_workers, "with_regions": with_regions, "without_regions": without_regions}


def _images_per_s(samples: PretrainSamples, order: BatchOrder, num_workers: int, seconds: float) -> float:
    with open_batches(samples, order, collate=collate, num_workers=num_workers, pin_memory=False) as batches:
        for _ in range(max(1, 2 * num_workers)):  # what is made while the workers start
            next(batches)
        start, number = time.perf_counter(), 0
        # Workers take turns, so that only a whole number of turns is a fair count.
        while (elapsed := time.perf_counter() - start) < seconds or number % max(1, num_workers):
            next(batches)
            number += 1
    return number * order.micro_batch_size / elapsed
