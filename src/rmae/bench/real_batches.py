"""Batches of real images, loaded as in training."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from rmae.config import PretrainConfig
from rmae.data.layouts import split_images
from rmae.data.loader import open_batches, to_device
from rmae.data.order import BatchOrder
from rmae.data.samples import Batch, PretrainSamples, collate
from rmae.data.training_regions import make_training_regions, with_region_store

_ENDLESS = 10**9  # updates


class RealBatches(NamedTuple):
    """Batches from a loader."""

    batches: Iterator[Batch]
    """On the device; as many as are asked for."""
    num_ahead: int
    """Most batches that the loader makes before they are asked for."""


@contextmanager
def prepare_real_batches(
    config: PretrainConfig, root: Path | None, *, device: torch.device
) -> Iterator[Callable[[], AbstractContextManager[RealBatches]]]:
    """Find the images of a run and make the regions that its store lacks; what is yielded opens their batches.

    Each image is cropped more often in an epoch than the configuration says where they would not fill a batch.

    Args:
        config: The run.
        root: Folder of the images; its regions are kept where runs in the folder `runs` find them. None = the bundled
            photographs; their regions are kept until the block ends.
        device: Where batches go to.

    Raises:
        ValueError: As `split_images` and `make_training_regions`.
    """
    root = None if root is None else root.resolve()
    images, _ = split_images(root, config.data, seed=config.run.seed)
    crops = math.ceil(config.optimizer.batch_size / len(images.names))
    config = replace(config, data=replace(config.data, crops_per_image=max(config.data.crops_per_image, crops)))
    with TemporaryDirectory() as scratch:
        runs = Path(scratch if root is None else "runs")
        config = with_region_store(config, images, beside=runs / "benchmark")
        with redirect_stdout(sys.stderr):  # standard output is for the figures
            make_training_regions(config, images)
        samples = PretrainSamples(images, data=config.data, model=config.model, seed=config.run.seed)
        yield partial(_open, samples, config, device)


@contextmanager
def _open(samples: PretrainSamples, config: PretrainConfig, device: torch.device) -> Iterator[RealBatches]:
    order = endless_order(samples, config)
    num_workers = len(os.sched_getaffinity(0)) if config.data.num_workers is None else config.data.num_workers
    with open_batches(
        samples, order, collate=collate, num_workers=num_workers, pin_memory=device.type == "cuda"
    ) as loaded:
        yield RealBatches(to_device(loaded, device), 2 * num_workers)


def endless_order(samples: PretrainSamples, config: PretrainConfig) -> BatchOrder:
    """The batches of a run that never ends, each in one step of one process."""
    return BatchOrder(
        num_samples=len(samples),
        batch_size=config.optimizer.batch_size,
        steps_per_update=1,
        rank=0,
        world_size=1,
        seed=config.run.seed,
        first_update=0,
        num_updates=_ENDLESS,
    )
