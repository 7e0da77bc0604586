"""Batches from worker processes, and their way to the device."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from rmae.data.order import BatchOrder
from rmae.data.samples import Batch, PretrainSamples, Sample, collate
from rmae.ops.bits import unpack_bits


def make_loader(
    samples: PretrainSamples, order: BatchOrder, *, num_workers: int, pin_memory: bool
) -> DataLoader[Sample]:
    """Make a loader that yields a `Batch` for each micro-batch of an order.

    Args:
        samples: Where samples come from.
        order: Which ones, when.
        num_workers: Processes that make samples; 0 = this one. The batches are the same for any number.
        pin_memory: Whether batches lie in memory from which a GPU can copy while it computes.

    Returns:
        The loader; its workers leave SIGINT and SIGTERM to the main process. Global random generators are not touched.
    """
    return DataLoader(
        samples,
        batch_sampler=order,
        num_workers=num_workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_main_process if num_workers else None,
        generator=torch.Generator().manual_seed(order.seed),  # without one, iterating draws from the global generator
    )


@contextmanager
def open_batches(loader: DataLoader[Sample]) -> Iterator[Iterator[Batch]]:
    """Iterate over a loader; its workers end with the block, whatever ends it.

    Left to the garbage collector, they would outlive an error that is still looked at, and since they ignore SIGTERM,
    the interpreter would wait for them at its end.
    """
    batches = iter(loader)
    try:
        yield batches
    finally:
        if isinstance(batches, _MultiProcessingDataLoaderIter):
            batches._shutdown_workers()


def _leave_signals_to_the_main_process(worker_id: int) -> None:
    # Terminals send Ctrl-C, and Slurm SIGTERM, to every process; the main one still needs batches to stop in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def to_device(batch: Batch, device: torch.device, *, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
    """Move a batch as it is stored and do the rest on the device: normalise images, unpack regions.

    Args:
        batch: From the loader.
        device: Where to.
        mean: Mean of each channel with full scale 1, shape (M,) float32, on the device.
        std: Standard deviation of each channel with full scale 1, shape (M,) float32, on the device.

    Returns:
        Images, shape (B, M, h, w) float32, normalised; regions, shape (B, R, h, w) bool, or None; and ids_shuffle,
        shape (B, L) int64.
    """
    full_scale = torch.iinfo(batch.images.dtype).max
    images = batch.images.to(device, non_blocking=True).float().div_(full_scale)
    images = images.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
    regions = None
    if batch.regions is not None:
        regions = unpack_bits(batch.regions.to(device, non_blocking=True), images.shape[-1])
    return images, regions, batch.ids_shuffle.to(device, non_blocking=True).long()
