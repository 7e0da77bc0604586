import errno
import gc
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from traceback import walk_stack
from types import FrameType

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from rmae.config import DataConfig, ModelConfig
from rmae.data.image_set import ImageSet
from rmae.data.loader import open_batches, to_device
from rmae.data.order import BatchOrder, SampleKey
from rmae.data.samples import Batch, PretrainSamples, collate
from rmae.data.worker_pool import WorkerDiedError

ORDER = BatchOrder(
    num_samples=6, batch_size=2, steps_per_update=1, rank=0, world_size=1, seed=3, first_update=0, num_updates=5
)


@pytest.fixture
def samples(
    photo_folder: Callable[[int], ImageSet], quick_data: DataConfig, small_model: ModelConfig
) -> PretrainSamples:
    images = photo_folder(6)
    (images.root / "04.png").write_text("no image")
    return PretrainSamples(images, data=quick_data, model=small_model, seed=3)


def batches(samples: PretrainSamples, order: BatchOrder, num_workers: int) -> list[Batch]:
    with open_batches(samples, order, collate=collate, num_workers=num_workers, pin_memory=False) as iterator:
        return list(iterator)


def assert_same(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert isinstance(a, Batch)
        assert torch.equal(a.images, b.images)
        assert a.regions is not None
        assert b.regions is not None
        assert torch.equal(a.regions, b.regions)
        assert torch.equal(a.ids_shuffle, b.ids_shuffle)
        assert a.skipped == b.skipped


def test_batches_do_not_depend_on_workers(samples: PretrainSamples):
    alone = batches(samples, ORDER, 0)
    assert len(alone) == 5
    assert any(batch.skipped for batch in alone)
    for num_workers in (1, 2):
        assert_same(alone, batches(samples, ORDER, num_workers))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_of_workers_come_in_memory_that_is_shared(samples: PretrainSamples, num_workers: int):
    """They are not copied once more on their way here."""
    with open_batches(samples, ORDER, collate=collate, num_workers=num_workers, pin_memory=False) as iterator:
        for batch in iterator:
            tensors = [tensor for tensor in batch if isinstance(tensor, torch.Tensor)]
            assert len(tensors) == 3
            assert [tensor.is_shared() for tensor in tensors] == [num_workers > 0] * 3


def test_resuming_gives_the_same_batches(samples: PretrainSamples):
    assert_same(batches(samples, ORDER, 0)[3:], batches(samples, replace(ORDER, first_update=3), 0))


def test_two_processes_together_make_the_batch_of_one(samples: PretrainSamples):
    halves = [batches(samples, replace(ORDER, rank=rank, world_size=2), 0) for rank in (0, 1)]
    for whole, first, second in zip(batches(samples, ORDER, 0), *halves, strict=True):
        assert torch.equal(whole.images, torch.cat([first.images, second.images]))
        assert torch.equal(whole.ids_shuffle, torch.cat([first.ids_shuffle, second.ids_shuffle]))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_global_generators_are_not_touched(samples: PretrainSamples, num_workers: int):
    def state() -> tuple:
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = state()
    batches(samples, ORDER, num_workers)
    assert state() == before


class FrozenObjects(Dataset[int]):
    """How many objects the garbage collector leaves alone."""

    def __getitem__(self, key: SampleKey) -> int:
        return gc.get_freeze_count()


@pytest.mark.parametrize("frozen_before", [False, True])
def test_processes_share_what_was_there_before(frozen_before: bool):
    """A full collection would write to each object, and so copy it."""
    before = len(gc.get_objects())
    try:
        if frozen_before:
            gc.freeze()
        with open_batches(FrozenObjects(), ORDER, collate=max, num_workers=2, pin_memory=False) as batches:
            assert 0.9 * before < gc.get_freeze_count()
            assert all(0.9 * before < frozen for frozen in batches)
        assert (gc.get_freeze_count() > 0) == frozen_before
    finally:
        gc.unfreeze()


def test_to_device_hands_batches_on_in_order(samples: PretrainSamples):
    with open_batches(samples, ORDER, collate=collate, num_workers=0, pin_memory=False) as batches:
        moved = [batch.images for batch in to_device(batches, torch.device("cpu"))]
    with open_batches(samples, ORDER, collate=collate, num_workers=0, pin_memory=False) as batches:
        assert all(torch.equal(one, batch.images) for one, batch in zip(moved, batches, strict=True))


class SlowSource:
    """Regions that take longer than anybody wants to wait at the end of a run."""

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        time.sleep(20)
        return np.zeros((1, *image.shape[:2]), dtype=np.int32)


def test_leaving_does_not_wait_for_busy_workers(
    photo_folder: Callable[[int], ImageSet], quick_data: DataConfig, small_model: ModelConfig
):
    slow = PretrainSamples(photo_folder(6), data=replace(quick_data, regions=SlowSource()), model=small_model, seed=3)
    with open_batches(slow, ORDER, collate=collate, num_workers=2, pin_memory=False):
        workers = multiprocessing.active_children()
        assert len(workers) == 2
        time.sleep(1)  # by now both are at their first image
        for worker in workers:
            os.kill(worker.pid, signal.SIGTERM)  # as Slurm does: they go on until the block ends
            assert worker.is_alive()
        left = time.monotonic()
    assert time.monotonic() - left < 10
    assert not any(worker.is_alive() for worker in workers)


class BrokenOrder(BatchOrder):
    """Fails at the second batch, which is ordered before the first one is there."""

    def __iter__(self) -> Iterator[list[SampleKey]]:
        yield next(super().__iter__())
        raise OSError("no batch")


def test_nothing_is_left_where_workers_cannot_begin(samples: PretrainSamples):
    before = signal.getsignal(signal.SIGCHLD)
    with pytest.raises(OSError, match="no batch") as raised:
        batches(samples, BrokenOrder(**asdict(ORDER)), 1)
    assert multiprocessing.active_children() == []
    assert signal.getsignal(signal.SIGCHLD) is before
    del raised  # which held all that torch had begun


def test_the_death_of_a_worker_is_told_where_a_batch_is_asked_for(samples: PretrainSamples):
    """And not amid an update, wherever the main thread happens to be."""
    order = replace(ORDER, num_updates=10**6)
    before = signal.getsignal(signal.SIGCHLD)
    with open_batches(samples, order, collate=collate, num_workers=1, pin_memory=False) as iterator:
        next(iterator)
        assert signal.getsignal(signal.SIGCHLD) is before
        [worker] = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        with pytest.raises(WorkerDiedError, match=r"ended from outside.* lower --num-workers .* with --resume"):
            list(iterator)


class DiesLookingWhetherToEnd(Dataset[int]):
    """Kills its worker while that looks whether it may end."""

    def __getitem__(self, key: SampleKey) -> int:
        def die(frame: FrameType, event: str, _: object) -> None:
            calls = [frame.f_code.co_name for frame, _ in islice(walk_stack(frame), 3)]
            if event == "return" and "is_set" in calls and "_worker_loop" in calls:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(die)
        return 0


@pytest.mark.slow  # torch looks for dead workers every five seconds
def test_a_worker_dies_with_nothing_that_others_wait_for():
    """With the event that torch makes it would die holding a lock, and leaving would never end."""
    with (
        open_batches(DiesLookingWhetherToEnd(), ORDER, collate=max, num_workers=2, pin_memory=False) as iterator,
        pytest.raises(WorkerDiedError, match="ended from outside"),
    ):
        list(iterator)
    assert multiprocessing.active_children() == []


@pytest.mark.slow  # torch waits ten seconds for it
def test_leaving_ends_a_worker_that_looks_at_no_signal(samples: PretrainSamples):
    with open_batches(samples, ORDER, collate=collate, num_workers=1, pin_memory=False) as iterator:
        next(iterator)
        [worker] = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGSTOP)
    assert not worker.is_alive()


MAKE_BATCHES = """
import torch
from torch.utils.data import TensorDataset
from rmae.data.loader import open_batches
from rmae.data.order import BatchOrder

class Ones(TensorDataset):
    def __getitem__(self, key):
        return torch.ones(3)

order = BatchOrder(
    num_samples=6, batch_size=2, steps_per_update=1, rank=0, world_size=1, seed=3, first_update=0, num_updates=5
)
with open_batches(Ones(), order, collate=torch.stack, num_workers=2, pin_memory=False) as batches:
    print(sum(batches).sum().item())
"""


def test_no_files_of_workers_are_left(tmp_path: Path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", MAKE_BATCHES], env=environment, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("30.0\n", "")
    assert list(tmp_path.iterdir()) == []


class LittleRoom(Dataset[np.ndarray]):
    """As where /dev/shm is small: no file there may grow beyond a page."""

    def __getitem__(self, key: SampleKey) -> np.ndarray:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        return np.zeros(10**5)


def stack(arrays: Sequence[np.ndarray]) -> list[torch.Tensor]:
    return [torch.from_numpy(np.stack(arrays))]


def test_too_little_shared_memory_is_told():
    with (
        open_batches(LittleRoom(), ORDER, collate=stack, num_workers=1, pin_memory=False) as iterator,
        pytest.raises(WorkerDiedError, match="there is too little shared memory for batches; give /dev/shm more"),
    ):
        next(iterator)


def no_batch(arrays: Sequence[np.ndarray]) -> Callable[[], None]:
    return lambda: None


@pytest.mark.slow  # torch looks for dead workers every five seconds
def test_a_batch_that_cannot_be_handed_over_is_not_waited_for(
    samples: PretrainSamples, capfd: pytest.CaptureFixture[str]
):
    with (
        open_batches(samples, ORDER, collate=no_batch, num_workers=1, pin_memory=False) as iterator,
        pytest.raises(WorkerDiedError, match="ended from outside"),
    ):
        next(iterator)
    assert "no_batch" in capfd.readouterr().err


@pytest.mark.parametrize("num_workers", [0, 1])
def test_other_errors_are_not_of_shared_memory(num_workers: int):
    with (
        open_batches(FileTrouble(), ORDER, collate=stack, num_workers=num_workers, pin_memory=False) as iterator,
        pytest.raises(OSError, match="Input/output error") as raised,
    ):
        next(iterator)
    assert not isinstance(raised.value, WorkerDiedError)


class FileTrouble(Dataset[np.ndarray]):
    """A disk that fails, in a folder called like torch's files in shared memory."""

    def __getitem__(self, key: SampleKey) -> np.ndarray:
        raise OSError(errno.EIO, "Input/output error", "/data/torch_sets/a.jpg")
