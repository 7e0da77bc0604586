"""Making the regions of a data set: every core works, and nothing that is finished is done again."""

import glob
import os
import time
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from rmae.config_json import describe_source
from rmae.data.images import UnreadableImage, check_channels, check_max_pixels, read_image
from rmae.data.layouts import ImageSet
from rmae.data.making_progress import MakingProgress
from rmae.data.region_check import CheckedSource
from rmae.data.region_preparation import prepare_for_forks
from rmae.data.skips import Skipped
from rmae.data.worker_process import live_and_die_with_parent
from rmae.interruption import Stopped, StopSignal
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, regions_depend_on
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreBusyError, StoreWriter, refuse_other_regions

_IMAGES_A_CALL = 1  # handed to a process at once: the first ones are done, and stored, soon
_CALLS_AHEAD = 4  # for each process, so that none waits
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_BATCHES = 0.5  # at most, so that nothing waits long: what is made for the disk, a person for the end


class WorkerDiedError(OSError):
    """A process that makes regions was ended from outside."""


class Share(NamedTuple):
    """Which of several equal processes, on one machine or many, this one is."""

    rank: int
    """From 0."""
    num_ranks: int
    """How many there are."""

    @classmethod
    def of_environment(cls) -> "Share":
        """As torchrun or Slurm's srun say; the only one where neither started this process."""
        for rank, num_ranks in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
            if rank in os.environ and num_ranks in os.environ:
                return cls(int(os.environ[rank]), int(os.environ[num_ranks]))
        return cls(0, 1)


@dataclass(frozen=True, kw_only=True)
class RegionMaking:
    """How regions are made; the regions depend on `source` and `channels` alone."""

    source: RegionSource
    """Where they come from."""
    channels: int = 3
    """Channels in which images are read: 3 = RGB, 1 = grey, 4 = RGB and alpha."""
    max_pixels: int = 80_000_000
    """Images with more pixels are skipped."""
    num_workers: int | None = None
    """Processes; 0 = this one, None = one for each core (with Segment Anything, this one)."""

    def __post_init__(self) -> None:
        """Check what can be checked before any image is read."""
        check_channels(self.channels)
        check_max_pixels(self.max_pixels)

    def header(self, root: Path) -> StoreHeader:
        """What a store of such regions says of itself, for images in a folder."""
        if isinstance(self.source, NamedSource):
            settings = regions_depend_on(self.source)
        else:
            settings = {"kind": "own", "description": describe_source(self.source)}
        return StoreHeader(source=settings, channels=self.channels, root=str(root), num_images=0, num_regions=0)


def make_regions(
    images: ImageSet, path: Path, making: RegionMaking, *, retry_skipped: bool = True, share: Share | None = None
) -> RegionStore | None:
    """Make the regions that a store lacks.

    Where several processes share the work, each makes its images in a part of its own, and the last one to finish
    merges the parts.

    Args:
        images: The images; those whose regions are stored already are left alone.
        path: The store; its folder is made if it is missing.
        making: How regions are made.
        retry_skipped: Try again what an earlier call had to skip.
        share: This process's share of the work; None = as the environment says.

    Returns:
        The store, whole; None while other processes are still at their shares.

    Raises:
        ValueError: The store is damaged or of another source, or no image can be used.
        Stopped: SIGINT or SIGTERM arrived; the same call goes on later.
        WorkerDiedError: A process that makes regions was ended from outside; the same call goes on.
        StoreBusyError: Another process is writing the store.
        OSError: The store cannot be written.
    """
    share = Share.of_environment() if share is None else share
    path.parent.mkdir(parents=True, exist_ok=True)
    missing = _missing(images, path, making, retry_skipped)
    if share.num_ranks == 1:
        return _not_empty(_make(images, path, making) if missing.names else RegionStore(path), images.root)
    parts = [path.with_name(f"{path.name}.part-{i + 1}-of-{share.num_ranks}") for i in range(share.num_ranks)]
    if not missing.names:
        for part in parts:  # of a call that was killed when it had merged them
            part.unlink(missing_ok=True)
        return _not_empty(RegionStore(path), images.root)
    own, part = missing._replace(names=missing.names[share.rank :: share.num_ranks]), parts[share.rank]
    if not part.exists() or _missing(own, part, making, retry_skipped).names:
        _make(own, part, making)
    return _not_empty(RegionStore(path), images.root) if _merge(parts, path, making, missing) else None


def _not_empty(store: RegionStore, root: Path) -> RegionStore:
    """The store, unless it has the regions of no image: then it is deleted, and the first reason said."""
    if store.header.num_images == 0:
        name, reason = next(iter(store.skipped().items()), ("no image", "none was given"))
        store.path.unlink()
        raise ValueError(f"no image in {root} can be used; the first, {name}: {reason}")
    return store


def _missing(images: ImageSet, path: Path, making: RegionMaking, retry_skipped: bool) -> ImageSet:
    """The images that a store lacks."""
    if not path.exists():
        return images
    store = RegionStore(path)
    refuse_other_regions(store.header, making.header(images.root), path)
    known = store.names() if retry_skipped else store.names() | store.skipped().keys()
    return images._replace(names=tuple(name for name in images.names if name not in known))


def _make(images: ImageSet, path: Path, making: RegionMaking) -> RegionStore:
    """Make the regions of all images that the store, or what an earlier call left of it, lacks."""
    prepare_for_forks(making.source, channels=making.channels)
    with ExitStack() as stack:
        writer = stack.enter_context(StoreWriter(path, making.header(images.root)))
        left_parts = sorted(path.parent.glob(f"{glob.escape(path.name)}.part-*-of-*[0-9]"))
        for part in left_parts:  # finished by processes that shared the work in an earlier call
            writer.add_store(RegionStore(part))
        stored = writer.names()
        missing = [name for name in images.names if name not in stored]
        stop = stack.enter_context(StopSignal())
        progress = stack.enter_context(MakingProgress(len(images.names), done=len(images.names) - len(missing)))
        batches = stack.enter_context(closing(_pack_all(images.root, missing, making)))
        for batch in batches:
            for regions in batch:
                if isinstance(regions, Skipped):
                    writer.skip(*regions)
                    progress.skip(*regions)
                else:
                    writer.add(regions)
                progress.advance()
            writer.save_if_due()
            if stop.received is not None:
                raise Stopped(f"stopped by {stop.received.name} after {progress.summary()}; the same command goes on")
        store = writer.finish()
    for part in left_parts:
        part.unlink()
    return store


def _merge(parts: list[Path], path: Path, making: RegionMaking, images: ImageSet) -> bool:
    """Put parts together, and delete them, if they have all images; returns whether the store has these now."""
    while True:
        if not all(part.exists() for part in parts):
            return path.exists() and not any(part.exists() for part in parts)  # merged by another process meanwhile
        try:
            writer = StoreWriter(path, making.header(images.root))
            break
        except StoreBusyError:  # another process is merging, perhaps what an earlier call left of one of the parts
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    with writer:
        if not all(part.exists() for part in parts):  # merged by another process just now
            writer.discard()
            return True
        for part in parts:
            writer.add_store(RegionStore(part))
        if not set(images.names) <= writer.names() | writer.skipped().keys():
            return False  # a part is an earlier call's; the process that adds to it merges later
        writer.finish()
        for part in parts:
            part.unlink()
    return True


def _pack_all(
    root: Path, names: list[str], making: RegionMaking
) -> Generator[list[PackedRegions | Skipped], None, None]:
    """Make and pack regions in many processes, in any order; those end with the iterator.

    Batches come at least twice a second; some are empty.
    """
    num_workers = making.num_workers
    if num_workers is None:
        num_workers = 0 if isinstance(making.source, SegmentAnything) else len(os.sched_getaffinity(0))
    if num_workers == 0:
        for name in names:
            yield [_pack(root, name, making)]
        return
    calls = iter([names[i : i + _IMAGES_A_CALL] for i in range(0, len(names), _IMAGES_A_CALL)])
    executor = ProcessPoolExecutor(
        num_workers, mp_context=get_context("fork"), initializer=_start_worker, initargs=(root, making, os.getpid())
    )
    workers: list[BaseProcess] = []
    try:
        running = {executor.submit(_pack_in_worker, call) for call in islice(calls, num_workers * _CALLS_AHEAD)}
        workers += (executor._processes or {}).values()
        while running:
            done, running = wait(running, timeout=_SECONDS_BETWEEN_BATCHES, return_when=FIRST_COMPLETED)
            running |= {executor.submit(_pack_in_worker, call) for call in islice(calls, len(done))}
            yield [regions for future in done for regions in future.result()]
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a process that makes regions was ended from outside, perhaps because memory ran out; lower --num-workers "
            "or --max-pixels, then go on with the same command"
        ) from error
    finally:
        # At once: what they are doing is of no use any more, and some may wait for a lock that a dead one held.
        for worker in workers:
            worker.kill()
        executor.shutdown(wait=True, cancel_futures=True)


_job: tuple[Path, RegionMaking] | None = None  # of this process, if it is a worker


def _start_worker(root: Path, making: RegionMaking, parent: int) -> None:
    global _job
    _job = root, making
    live_and_die_with_parent(parent)


def _pack_in_worker(names: list[str]) -> list[PackedRegions | Skipped]:
    assert _job is not None
    root, making = _job
    return [_pack(root, name, making) for name in names]


def _pack(root: Path, name: str, making: RegionMaking) -> PackedRegions | Skipped:
    try:
        image = read_image(root / name, channels=making.channels, max_pixels=making.max_pixels)
    except UnreadableImage as error:
        return Skipped(name, str(error))
    except MemoryError:
        return Skipped(name, "there is not enough memory to read it")
    try:
        return PackedRegions.of(name, CheckedSource(making.source)(image, name))
    except (ValueError, OSError) as error:
        return Skipped(name, f"its regions cannot be had: {error}")
    except MemoryError:
        return Skipped(name, f"there is not enough memory for {image.shape[0]} x {image.shape[1]} pixels")
