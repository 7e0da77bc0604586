"""Batches from worker processes, and their way to the device."""

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ctypes import c_bool
from functools import partial
from multiprocessing.context import BaseContext, ForkProcess
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import RawValue
from multiprocessing.util import get_temp_dir
from types import FrameType
from typing import Any, Protocol, Self, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from rmae.data.order import BatchOrder
from rmae.data.worker_pool import WorkerDiedError

_SHARED_MEMORY = "</torch_"
"""Stands in torch's errors about its files in /dev/shm."""
_TOO_MANY_FILES = "Too many open files"
_SECONDS_TO_END = 1.0  # for workers that are let end, before they are killed
_MAX_SAMPLES_AHEAD = 16_384  # in batches that workers make before they are asked for; 3.3 GB at 224 pixels


class DeviceBatch(Protocol):
    """A batch that can be moved to a device."""

    def tensors(self) -> tuple[Any, ...]:
        """What is on the device: tensors, lists of them, or None."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same on a device; from pinned memory to a GPU without waiting for it."""
        ...


S = TypeVar("S")
B = TypeVar("B")
Moved = TypeVar("Moved", bound=DeviceBatch)


@contextmanager
def open_batches(
    samples: Dataset[S],
    order: BatchOrder,
    *,
    collate: Callable[[Sequence[S]], B],
    num_workers: int,
    pin_memory: bool,
) -> Iterator[Iterator[B]]:
    """Iterate over the micro-batches of an order; the workers end with the block, whatever ends it.

    Workers leave SIGINT and SIGTERM to the main process, and global random generators are not touched.

    Args:
        samples: Where samples come from.
        order: Which ones, when.
        collate: From the samples of a micro-batch to the batch.
        num_workers: Processes that make samples; 0 = this one. The batches are the same for any number.
        pin_memory: Whether batches lie in memory from which a GPU can copy while it computes.

    Yields:
        The batches. A worker that was ended from outside, or has no room for a batch, is a `WorkerDiedError` where
        the next one is asked for.
    """
    in_flight = max(1, num_workers) * order.micro_batch_size
    workers = _Workers()
    loader = DataLoader(
        samples,
        batch_sampler=order,
        num_workers=num_workers,
        collate_fn=partial(_in_shared_memory, collate) if num_workers else collate,
        pin_memory=pin_memory,
        multiprocessing_context=workers if num_workers else None,
        worker_init_fn=partial(_set_up_worker, workers) if num_workers else None,
        prefetch_factor=max(1, min(2, _MAX_SAMPLES_AHEAD // in_flight)) if num_workers else None,
        generator=torch.Generator().manual_seed(order.seed),  # without one, iterating draws from the global generator
    )
    with ExitStack() as stack:
        if num_workers:
            stack.enter_context(_objects_left_alone())
            get_temp_dir()  # where workers put sockets: in a folder of this process, which removes it in the end
            stack.callback(workers.end)
        with _child_handler_kept():
            batches = iter(loader)
        if isinstance(batches, _MultiProcessingDataLoaderIter):
            stack.callback(batches._shutdown_workers)
        yield _received(batches, workers.processes)


def _received(batches: Iterator[B], workers: Sequence[ForkProcess]) -> Iterator[B]:
    """Hand batches on; where a worker died in the middle of one, say so instead of what its socket says."""
    try:
        yield from batches
    except (RuntimeError, OSError, EOFError) as error:
        # A socket breaks a moment before the exit code is there.
        if isinstance(error, ConnectionError | EOFError) or any(worker.exitcode for worker in workers):
            raise WorkerDiedError(
                "a process that reads images was ended from outside, perhaps because memory ran out; lower "
                "--num-workers or raise --accumulate, then go on with --resume"
            ) from error
        sentence = (str(error).strip().splitlines() or [""])[-1]  # after the worker's traceback
        if workers and _SHARED_MEMORY in sentence and _TOO_MANY_FILES not in sentence:
            raise WorkerDiedError(
                "there is too little shared memory for batches; give /dev/shm more room (docker run --shm-size), lower "
                "--num-workers or raise --accumulate, then go on with --resume"
            ) from error
        raise


class _Workers(BaseContext):
    """What torch makes its workers with: they are forked, and end at once when it lets them.

    It does so by an event. Python's own has a lock: if a worker died while it held that, the others and the main
    process would wait for it for ever. So this is the event, too, and has none.
    """

    _name = "fork"

    def __init__(self) -> None:
        self.processes: list[ForkProcess] = []
        self._may_end = RawValue(c_bool, False)

    def Process(self, *args: Any, **kwargs: Any) -> Any:
        """A worker, not started yet."""
        self.processes.append(ForkProcess(*args, **kwargs))
        return self.processes[-1]

    def Event(self) -> Any:
        """What torch sets to let workers end, when nothing reads what they send any more."""
        return self

    def is_set(self) -> bool:
        """Whether they may end."""
        return self._may_end.value

    def set(self) -> None:
        """Let them end."""
        self._may_end.value = True
        for worker in self._started():
            worker.terminate()

    def end(self) -> None:
        """End them all: also those that look at no signal, and those that torch began before it failed."""
        self.set()
        end = time.monotonic() + _SECONDS_TO_END
        for worker in self._started():
            worker.join(max(0.0, end - time.monotonic()))
            worker.kill()
            worker.join()

    def _started(self) -> list[ForkProcess]:
        return [worker for worker in self.processes if worker.pid is not None]


@contextmanager
def _objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector off what there is already, in this process and in those that are forked meanwhile.

    They share its memory until one of them writes there, and a full collection writes to every object: sooner or later
    each process would have a copy of all imported libraries.
    """
    is_first = gc.get_freeze_count() == 0
    gc.collect()  # garbage would be left alone, too, with whatever it holds on a GPU
    gc.freeze()
    try:
        yield
    finally:
        if is_first:
            gc.unfreeze()


@contextmanager
def _child_handler_kept() -> Iterator[None]:
    """Take back the handler by which torch raises a worker's death wherever the main thread is, amid an update say.

    Without it that is noticed within seconds, where a batch is asked for, and never amid a step.
    """
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGCHLD, before)


def _in_shared_memory(collate: Callable[[Sequence[S]], B], samples: Sequence[S]) -> B:
    """Put samples into a batch, in a worker, and all of its tensors where the main process finds them.

    They would get there by themselves, but in a thread that nobody listens to: without room the batch would be lost,
    and be waited for without end.
    """
    batch = collate(samples)
    for tensor in _leaves(batch):
        tensor.share_memory_()
    return batch


def _set_up_worker(workers: _Workers, worker_id: int) -> None:
    """Ignore, in a worker, what terminals (SIGINT) and Slurm (SIGTERM) send to every process.

    The main process still needs batches to stop in order; it lets the workers end when it is through. A worker ends by
    itself where it cannot hand over a batch, for the main process would wait for that.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if workers.is_set():
            os._exit(0)  # at once: what a worker is doing is of no use any more

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    cast(Any, Queue)._on_queue_feeder_error = staticmethod(_end_worker)


def _end_worker(error: Exception, batch: object) -> None:
    traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(1)


def to_device(batches: Iterator[Moved], device: torch.device) -> Iterator[Moved]:
    """Move batches as they are stored; to a GPU, while it works on what it was given before.

    Args:
        batches: From the loader; for a GPU in pinned memory.
        device: Where to.

    Yields:
        Batches on the device, to be used on its current stream.
    """
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    copying, computing = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    for batch in batches:
        with torch.cuda.stream(copying):
            copied = batch.to(device)
        computing.wait_stream(copying)
        for tensor in _leaves(copied.tensors()):
            tensor.record_stream(computing)  # its memory is not given to the next copy before it was used
        yield copied


def _leaves(parts: Any) -> Iterator[Tensor]:
    """The tensors in tuples and lists, one in another."""
    if isinstance(parts, Tensor):
        yield parts
    elif isinstance(parts, tuple | list):
        for part in parts:
            yield from _leaves(part)
