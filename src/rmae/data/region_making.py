"""Making the regions of a data set: every core works, and nothing that is finished is done again."""

import json
import os
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmae.config_json import describe_source
from rmae.data.images import UnreadableImage, check_channels, read_image
from rmae.data.layouts import ImageSet
from rmae.data.making_progress import MakingProgress
from rmae.data.region_check import CheckedSource
from rmae.data.skips import Skipped
from rmae.data.worker_process import live_and_die_with_parent
from rmae.interruption import Stopped, StopSignal
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreBusyError, StoreWriter, refuse_other_regions

_IMAGES_A_CALL = 4  # handed to a process at once
_CALLS_AHEAD = 4  # for each process, so that none waits


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

    def header(self, root: Path) -> StoreHeader:
        """What a store of such regions says of itself, for images in a folder."""
        if isinstance(self.source, NamedSource):
            settings = json.loads(json.dumps(asdict(self.source)))  # as it is when it is read back: lists for tuples
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
        ValueError: The store is of another source, or written by another process, or no image can be used.
        Stopped: SIGINT or SIGTERM arrived; the same call goes on later.
        WorkerDiedError: A process that makes regions was ended from outside; the same call goes on.
        OSError: The store cannot be written.
    """
    share = Share.of_environment() if share is None else share
    path.parent.mkdir(parents=True, exist_ok=True)
    missing = _missing(images, path, making, retry_skipped)
    if share.num_ranks == 1:
        return _not_empty(_make(images, path, making) if missing.names else RegionStore(path), images.root)
    parts = [path.with_name(f"{path.name}.part-{i + 1}-of-{share.num_ranks}") for i in range(share.num_ranks)]
    if missing.names:
        _make(missing._replace(names=missing.names[share.rank :: share.num_ranks]), parts[share.rank], making)
        if not _merge(parts, path, making, images.root):
            return None
    for part in parts:
        part.unlink(missing_ok=True)
    return _not_empty(RegionStore(path), images.root)


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
    match making.source:
        case CocoInstances() | CocoPanoptic():
            making.source.prepare()  # once, before processes are forked
        case Felzenszwalb():
            making.source(np.zeros((2, 2, making.channels), dtype=np.uint8), "")  # compiles
        case _:
            pass
    with ExitStack() as stack:
        writer = stack.enter_context(StoreWriter(path, making.header(images.root)))
        stored = writer.names()
        missing = [name for name in images.names if name not in stored]
        stop = stack.enter_context(StopSignal())
        progress = stack.enter_context(MakingProgress(len(images.names), done=len(images.names) - len(missing)))
        packed = stack.enter_context(closing(_pack_all(images.root, missing, making)))
        for regions in packed:
            if isinstance(regions, Skipped):
                writer.skip(*regions)
                progress.skip(*regions)
            else:
                writer.add(regions)
            progress.advance()
            if stop.received is not None:
                raise Stopped(f"stopped by {stop.received.name} after {progress.summary()}; the same command goes on")
        return writer.finish()


def _merge(parts: list[Path], path: Path, making: RegionMaking, root: Path) -> bool:
    """Put parts together if all are there; returns whether the store is whole now."""
    if not all(part.exists() for part in parts):
        return path.exists() and not any(part.exists() for part in parts)  # merged by another process meanwhile
    try:
        writer = StoreWriter(path, making.header(root))
    except StoreBusyError:
        return False  # another process is merging
    with writer:
        if not all(part.exists() for part in parts):  # merged by another process just now
            writer.discard()
        else:
            for part in parts:
                writer.add_store(RegionStore(part))
            writer.finish()
    return True


def _pack_all(root: Path, names: list[str], making: RegionMaking) -> Generator[PackedRegions | Skipped, None, None]:
    """Make and pack regions in many processes, in any order; those end with the iterator."""
    num_workers = making.num_workers
    if num_workers is None:
        num_workers = 0 if isinstance(making.source, SegmentAnything) else len(os.sched_getaffinity(0))
    if num_workers == 0:
        for name in names:
            yield _pack(root, name, making)
        return
    calls = iter([names[i : i + _IMAGES_A_CALL] for i in range(0, len(names), _IMAGES_A_CALL)])
    executor = ProcessPoolExecutor(
        num_workers, mp_context=get_context("fork"), initializer=_start_worker, initargs=(root, making)
    )
    try:
        running = {executor.submit(_pack_in_worker, call) for call in islice(calls, num_workers * _CALLS_AHEAD)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {executor.submit(_pack_in_worker, call) for call in islice(calls, len(done))}
            for future in done:
                yield from future.result()
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a process that makes regions was ended from outside, perhaps because memory ran out; lower --num-workers "
            "or --max-pixels, then go on with the same command"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


_job: tuple[Path, RegionMaking] | None = None  # of this process, if it is a worker


def _start_worker(root: Path, making: RegionMaking) -> None:
    global _job
    _job = root, making
    live_and_die_with_parent()


def _pack_in_worker(names: list[str]) -> list[PackedRegions | Skipped]:
    assert _job is not None
    root, making = _job
    return [_pack(root, name, making) for name in names]


def _pack(root: Path, name: str, making: RegionMaking) -> PackedRegions | Skipped:
    try:
        image = read_image(root / name, channels=making.channels, max_pixels=making.max_pixels)
    except UnreadableImage as error:
        return Skipped(name, str(error))
    try:
        return PackedRegions.of(name, CheckedSource(making.source)(image, name))
    except (ValueError, OSError) as error:
        return Skipped(name, f"its regions cannot be had: {error}")
    except MemoryError:
        return Skipped(name, f"there is not enough memory for {image.shape[0]} x {image.shape[1]} pixels")
