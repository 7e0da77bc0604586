"""Batches from worker processes, and their way to the device."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_bool
from functools import partial
from multiprocessing.sharedctypes import RawValue
from types import FrameType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from rmae.data.order import BatchOrder
from rmae.data.samples import Batch, PretrainSamples, collate
from rmae.ops.bits import unpack_bits


@contextmanager
def open_batches(
    samples: PretrainSamples, order: BatchOrder, *, num_workers: int, pin_memory: bool
) -> Iterator[Iterator[Batch]]:
    """Iterate over the micro-batches of an order; the workers end with the block, whatever ends it.

    Workers leave SIGINT and SIGTERM to the main process, and global random generators are not touched.

    Args:
        samples: Where samples come from.
        order: Which ones, when.
        num_workers: Processes that make samples; 0 = this one. The batches are the same for any number.
        pin_memory: Whether batches lie in memory from which a GPU can copy while it computes.
    """
    may_end = RawValue(c_bool, False)  # without a lock: a signal may come while a worker looks at it
    loader = DataLoader(
        samples,
        batch_sampler=order,
        num_workers=num_workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        worker_init_fn=partial(_handle_signals, may_end) if num_workers else None,
        generator=torch.Generator().manual_seed(order.seed),  # without one, iterating draws from the global generator
    )
    batches = iter(loader)
    try:
        yield _received(batches)
    finally:
        if isinstance(batches, _MultiProcessingDataLoaderIter):
            may_end.value = True
            for worker in batches._workers:
                worker.terminate()
            batches._shutdown_workers()


def _received(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Hand batches on; where a worker died in the middle of one, say so instead of what its socket says."""
    try:
        yield from batches
    except (RuntimeError, OSError, EOFError) as error:
        workers = batches._workers if isinstance(batches, _MultiProcessingDataLoaderIter) else []
        # A socket breaks a moment before the exit code is there.
        if isinstance(error, ConnectionError | EOFError) or any(worker.exitcode for worker in workers):
            raise RuntimeError("DataLoader worker died while it handed over a batch") from error
        raise


def _handle_signals(may_end: c_bool, worker_id: int) -> None:
    """Ignore, in a worker, what terminals (SIGINT) and Slurm (SIGTERM) send to every process.

    The main process still needs batches to stop in order; it lets the workers end when it is through.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if may_end.value:
            os._exit(0)  # at once: what a worker is doing is of no use any more

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)


class ModelInput(NamedTuple):
    """A batch as the model takes it."""

    images: Tensor
    """Shape (B, M, h, w) float32, normalised."""
    regions: Tensor | None
    """Shape (B, R, h, w) bool; None where the task has no regions."""
    ids_shuffle: Tensor
    """Shape (B, L) int64, a permutation of the patches per image; the first K are visible."""
    region_ids_shuffle: Tensor | None
    """The same for the region maps; None where they share the image's."""


def to_device(batch: Batch, device: torch.device, *, mean: Tensor, std: Tensor) -> ModelInput:
    """Move a batch as it is stored and do the rest on the device: normalise images, unpack regions.

    Args:
        batch: From the loader.
        device: Where to.
        mean: Mean of each channel with full scale 1, shape (M,) float32, on the device.
        std: Standard deviation of each channel with full scale 1, shape (M,) float32, on the device.

    Returns:
        What the model takes.
    """
    full_scale = torch.iinfo(batch.images.dtype).max
    images = batch.images.to(device, non_blocking=True).float().div_(full_scale)
    images = images.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
    regions = region_ids_shuffle = None
    if batch.regions is not None:
        regions = unpack_bits(batch.regions.to(device, non_blocking=True), images.shape[-1])
    if batch.region_ids_shuffle is not None:
        region_ids_shuffle = batch.region_ids_shuffle.to(device, non_blocking=True).long()
    return ModelInput(images, regions, batch.ids_shuffle.to(device, non_blocking=True).long(), region_ids_shuffle)
