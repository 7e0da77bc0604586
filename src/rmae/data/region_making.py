"""Making the regions of a data set: every core works, and nothing that is finished is done again."""

import glob
import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rmae.config import DataConfig
from rmae.config_json import describe_source
from rmae.data.image_progress import ImageProgress
from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage, check_channels, check_max_pixels
from rmae.data.region_check import CheckedSource
from rmae.data.region_preparation import prepare_for_forks
from rmae.data.share import Share
from rmae.data.skips import Skipped
from rmae.data.worker_pool import work_in_processes
from rmae.interruption import Stopped, StopSignal
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, regions_depend_on
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreBusyError, StoreWriter, refuse_other_regions

_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, kw_only=True)
class RegionMaking:
    """How regions are made; the regions depend on `source` and `channels` alone."""

    source: RegionSource
    """Where they come from."""
    channels: int = 3
    """Channels in which images are read: 3 = RGB, 1 = grey, 4 = RGB and alpha, others from TIFF
    alone."""
    max_pixels: int = DataConfig.max_pixels
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
        WorkerDiedError: A process that works on images was ended from outside; the same call goes on.
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
        progress = stack.enter_context(
            ImageProgress(len(images.names), done=len(images.names) - len(missing), doing="regions of")
        )
        pack = partial(_pack, images=images, making=making)
        batches = stack.enter_context(closing(work_in_processes(pack, missing, num_workers=_num_workers(making))))
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


def _num_workers(making: RegionMaking) -> int:
    if making.num_workers is not None:
        return making.num_workers
    return 0 if isinstance(making.source, SegmentAnything) else len(os.sched_getaffinity(0))


def _pack(name: str, images: ImageSet, making: RegionMaking) -> PackedRegions | Skipped:
    try:
        image = images.read(name, channels=making.channels, max_pixels=making.max_pixels)
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
