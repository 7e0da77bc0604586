"""Packing a data set with its regions into shards: every core works, and nothing that is finished is done again."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from rmae.config import DataConfig
from rmae.config_json import describe_source
from rmae.data.crops import Crop, sample_positions
from rmae.data.decoding import decode_crop, reduction_for
from rmae.data.image_encoding import encode_image
from rmae.data.image_names import as_begun, write_names
from rmae.data.image_progress import ImageProgress
from rmae.data.image_set import ImageSet
from rmae.data.images import StoredImage, UnreadableImage, check_channels, check_max_pixels
from rmae.data.region_reader import RegionReader, open_regions
from rmae.data.shard_index import FORMAT_VERSION, join_indices
from rmae.data.shard_writer import PackedImage, ShardWriter, lock_path, part_path, read_part
from rmae.data.shards import INDEX, SETTINGS, Shards, shard_path
from rmae.data.share import Share
from rmae.data.skips import Skipped
from rmae.data.worker_pool import work_in_processes
from rmae.files import read_json, write_json
from rmae.interruption import Stopped, StopSignal
from rmae.quoting import one_line
from rmae.regions.inside import Inside
from rmae.regions.label_runs import LabelRuns
from rmae.regions.live import Live
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, regions_depend_on
from rmae.regions.store_lock import StoreBusyError, StoreLock
from rmae.regions.stored import Stored

_SECONDS_BETWEEN_LOOKS = 0.1
_NAMES = f".{SETTINGS}.images"
"""The images that an unfinished call packs."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How images are packed."""

    short_side: int | None = 256
    """Pixels of the shorter side; images that are smaller, and all if it is None, keep their size."""
    quality: int = 90
    """Quality of JPEGs, 1 to 95."""
    regions: RegionSource | None = None
    """Where the regions come from that are packed too; None = none."""
    channels: int = 3
    """Channels in which images are read: 3 = RGB, 1 = grey, 4 = RGB and alpha, others from TIFF alone."""
    max_pixels: int = DataConfig.max_pixels
    """Images with more pixels are skipped."""
    images_per_shard: int = 1000
    """Images in one file."""
    num_workers: int | None = None
    """Processes; 0 = this one, None = one for each core."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_channels(self.channels)
        check_max_pixels(self.max_pixels)
        if self.short_side is not None and self.short_side < 1:
            raise ValueError(f"short_side is {self.short_side}; it must be at least 1 pixel, or None")
        if not 1 <= self.quality <= 95:
            raise ValueError(f"quality is {self.quality}; it must lie between 1 and 95")
        if self.images_per_shard < 1:
            raise ValueError(f"images_per_shard is {self.images_per_shard}; it must be at least 1")
        if self.num_workers is not None and self.num_workers < 0:
            raise ValueError(f"num_workers is {self.num_workers}; it must be at least 0, or None")
        if isinstance(self.regions.source if isinstance(self.regions, Live) else self.regions, SegmentAnything):
            raise ValueError(
                "Segment Anything works on a GPU, which the processes that pack cannot share: make its regions first "
                "(rmae regions make), then pack them (--regions 'stored --path FILE')"
            )

    def header(self, images: ImageSet) -> dict[str, Any]:
        """What the shards say of how they were made."""
        return {
            "short_side": self.short_side,
            "quality": self.quality,
            "channels": self.channels,
            "regions": _describe_regions(self.regions, images),
        }


def pack_images(images: ImageSet, folder: Path, packing: Packing, *, share: Share | None = None) -> Shards | None:
    """Pack images that are not packed yet.

    Several processes share the work by whole shards, and the last one to finish writes the index.

    Args:
        images: What to pack.
        folder: Where the shards shall be; new, empty, or of an earlier call with the same images and settings.
        packing: How.
        share: This process's share of the work; None = as the environment says.

    Returns:
        The shards; None while other processes are still at theirs.

    Raises:
        ValueError: The folder holds something else, or no image can be used.
        Stopped: SIGINT or SIGTERM arrived; the same call goes on later.
        WorkerDiedError: A process was ended from outside; the same call goes on.
        StoreBusyError: Another process writes the same shard.
        OSError: The shards cannot be written.
    """
    share = Share.of_environment() if share is None else share
    images = _as_begun(folder, images)
    header = packing.header(images)
    settings = {
        "format": "packing",
        "version": FORMAT_VERSION,
        "images": images.fingerprint(),
        "images_per_shard": packing.images_per_shard,
        **header,
    }
    finished = (folder / INDEX).exists()  # looked at first: settings are there before an index is
    if (folder / SETTINGS).exists():
        _refuse_other_settings(folder, settings)
    elif finished:
        raise ValueError(
            f"{folder} holds {INDEX} but no {SETTINGS}, which says what its shards were packed from; bring that file "
            "back, pack into another folder, or delete this one"
        )
    if finished:
        _clear(folder)
        return _whole(Shards(folder))
    reader = None if packing.regions is None else _open_regions(packing, images)
    _write_settings(folder, settings, images)
    starts = range(0, len(images.names), packing.images_per_shard)
    spans = [images.names[start : start + packing.images_per_shard] for start in starts]
    missing = [shard for shard in range(len(spans)) if read_part(folder, shard) is None]
    if (folder / INDEX).exists():  # written by another process while this one looked
        return _whole(Shards(folder))
    own = {shard: spans[shard] for shard in missing if shard % share.num_ranks == share.rank}
    if own:
        number_of = {name: number for number, name in enumerate(images.names)}
        pack = partial(_pack, images=images, packing=packing, reader=reader, number_of=number_of)
        _pack_shards(own, folder, header, pack, num_workers=packing.num_workers)
    return _finish(folder, images, len(spans))


def _whole(shards: Shards) -> Shards:
    """The shards, if each that the index names is there."""
    for shard in sorted(set(shards.index.places[:, 0].tolist())):
        if not shard_path(shards.folder, shard).exists():
            raise ValueError(
                f"{shard_path(shards.folder, shard)} is missing; bring it back, or delete {shards.folder} and pack anew"
            )
    return shards


def _refuse_other_settings(folder: Path, wanted: dict[str, Any]) -> None:
    path = folder / SETTINGS
    try:
        found = read_json(path)
        different = [name for name in wanted if found[name] != wanted[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} does not say how the shards beside it are made ({one_line(error)}); pack anew"
        ) from error
    if different:
        name = different[0]
        raise ValueError(
            f"the shards in {folder} are made with {name.replace('_', ' ')} {one_line(found[name])}, not "
            f"{one_line(wanted[name])}; pack into another folder, or delete this one"
        )


def _as_begun(folder: Path, images: ImageSet) -> ImageSet:
    """The images that an earlier, unfinished call began with, if only few of them are gone."""
    try:
        fingerprint = read_json(folder / SETTINGS)["images"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return images  # a new folder, or one that is refused later
    return as_begun(folder / _NAMES, fingerprint, images, max_bad_share=DataConfig.max_bad_share) or images


def _write_settings(folder: Path, settings: dict[str, Any], images: ImageSet) -> None:
    """Take a folder for shards, unless it holds something else or shards that are made differently."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose a folder for the shards")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if (folder / SETTINGS).exists():  # of an earlier call, or written by another process meanwhile
            _refuse_other_settings(folder, settings)
        elif others := sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(f".{SETTINGS}")):
            raise ValueError(f"{folder} holds {others[0]}, and no shards; choose another folder for them, new or empty")
        else:
            write_json(folder / SETTINGS, settings)
        if not ((folder / _NAMES).exists() or (folder / INDEX).exists()):
            write_names(folder / _NAMES, images)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process begins or finishes the shards of a folder."""
    lock = None
    while lock is None:
        try:
            lock = StoreLock(folder / f".{SETTINGS}.lock")
        except StoreBusyError:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        lock.release()


def _pack_shards(
    shards: dict[int, tuple[str, ...]],
    folder: Path,
    header: dict[str, Any],
    pack: Callable[[str], PackedImage | Skipped],
    *,
    num_workers: int | None,
) -> None:
    """Pack whole shards, one after the other."""
    import_module("torch")  # once, and not in every process
    num_workers = len(os.sched_getaffinity(0)) if num_workers is None else num_workers
    first = next(iter(shards))
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal())
        # What a killed process left is of the first shard, since one is finished before the next is begun.
        with ShardWriter(folder, first, header) as writer:
            done = len(writer.names)
        num_images = sum(len(names) for names in shards.values())
        progress = stack.enter_context(ImageProgress(num_images, done=done, doing="packed"))
        for shard, names in shards.items():
            with ShardWriter(folder, shard, header) as writer:
                packed_before = writer.names
                left = [name for name in names if name not in packed_before]
                with closing(work_in_processes(pack, left, num_workers=num_workers)) as batches:
                    for packed in _in_order(batches, left):
                        if packed is not None:
                            _add(packed, writer, progress)
                        if stop.received is not None:
                            raise Stopped(
                                f"stopped by {stop.received.name} after {progress.summary()}; the same command goes on"
                            )
                writer.finish()


def _open_regions(packing: Packing, images: ImageSet) -> RegionReader:
    means = (0.5,) * packing.channels  # of no effect but their number: that of the channels
    return open_regions(DataConfig(regions=packing.regions, pixel_mean=means, pixel_std=means), images)


def _in_order(
    batches: Iterable[Sequence[PackedImage | Skipped]], names: Sequence[str]
) -> Iterator[PackedImage | Skipped | None]:
    """Put results into the order of their names; None whenever there is nothing to be had for a while."""
    early: dict[str, PackedImage | Skipped] = {}
    waited_for = iter(names)
    name = next(waited_for, None)
    for batch in batches:
        early |= {result.name: result for result in batch}
        if name not in early:
            yield None
        while name in early:
            yield early.pop(name)
            name = next(waited_for, None)


def _add(packed: PackedImage | Skipped, writer: ShardWriter, progress: ImageProgress) -> None:
    if isinstance(packed, Skipped):
        writer.skip(packed)
        progress.skip(*packed)
    else:
        writer.add(packed)
    progress.advance()


def _pack(
    name: str, images: ImageSet, packing: Packing, reader: RegionReader | None, number_of: dict[str, int]
) -> PackedImage | Skipped:
    """Read, shrink and encode an image and its regions."""
    try:
        with images.open(name, channels=packing.channels, max_pixels=packing.max_pixels) as image:
            if reader is not None and reader.needs_pixels:
                image = StoredImage.of(image.pixels())
            size_hw = _packed_size(image.size_hw, packing.short_side)
            whole = Crop(0, 0, *image.size_hw, False)
            # Where a fraction of the size is decoded, what it leaves of the last rows and columns, less than a pixel of
            # the result, is left out, of image and regions alike: else one would be stretched over more than the other.
            whole = whole.on_grid(reduction_for(image, whole, size_hw), image.size_hw)
            pixels = _shrink(image, whole, size_hw)
            runs = None if reader is None else _shrink_runs(reader(image, name), whole, size_hw)
            packed, num_maps = (None, 0) if runs is None else (runs.pack(), len(runs.counts))
    except UnreadableImage as error:
        return Skipped(name, str(error))
    except (ValueError, OSError) as error:
        return Skipped(name, f"its regions cannot be had: {error}")
    except MemoryError:
        return Skipped(name, "there is not enough memory to read it")
    encoded, suffix = encode_image(pixels, quality=packing.quality)
    return PackedImage(number_of[name], name, encoded, suffix, *size_hw, packed, num_maps)


def _packed_size(image_hw: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Height and width of a packed image, shrunk in proportion if its shorter side is too long."""
    if short_side is None or min(image_hw) <= short_side:
        return image_hw
    shrunk = [max(1, round(side * short_side / min(image_hw))) for side in image_hw]
    return shrunk[0], shrunk[1]


def _shrink(image: StoredImage, whole: Crop, size_hw: tuple[int, int]) -> np.ndarray:
    """Decode an image and resize it; shape (h, w, M)."""
    return image.pixels() if size_hw == image.size_hw else decode_crop(image, whole, size_hw).transpose(1, 2, 0)


def _shrink_runs(runs: LabelRuns, whole: Crop, size_hw: tuple[int, int]) -> LabelRuns:
    """Resize label maps: each pixel takes the label at its centre."""
    if size_hw == (whole.height, whole.width):
        return runs
    rows, columns = sample_positions(whole, size_hw)
    return LabelRuns.of(runs.label_maps()[:, rows[:, None], columns])


def _finish(folder: Path, images: ImageSet, num_shards: int) -> Shards | None:
    """Write the index of all shards if they are all there; what led to it is deleted."""
    if not folder.exists():  # another process has found that no image can be used
        return None
    with _alone_in(folder):
        if (folder / INDEX).exists():  # written by another process meanwhile
            return Shards(folder)
        parts = [read_part(folder, shard) for shard in range(num_shards)]
        whole = [part for part in parts if part is not None]
        if len(whole) < num_shards:
            return None
        index = join_indices(whole)
        if index.names:
            index.write(folder / INDEX)
        _clear(folder)
        if index.names:
            return Shards(folder)
        for path in (*(shard_path(folder, shard) for shard in range(num_shards)), folder / SETTINGS):
            path.unlink(missing_ok=True)
    with suppress(OSError):  # something else is in it
        folder.rmdir()
    name, reason = index.skipped[0]
    raise ValueError(f"no image in {images.root} can be used; the first, {name}: {reason}")


def _clear(folder: Path) -> None:
    """Delete what led to the shards, once all are there."""
    for shard in folder.glob("shard-*.tar"):
        part_path(shard).unlink(missing_ok=True)
        lock_path(shard).unlink(missing_ok=True)
    (folder / _NAMES).unlink(missing_ok=True)


def _describe_regions(source: RegionSource | None, images: ImageSet) -> dict[str, Any] | None:
    """The settings that the regions depend on, of whatever they are made from or read from."""
    match source:
        case None:
            return None
        case Inside():
            return None if images.container is None else images.container.region_settings
        case Stored():
            return source.store.header.source
        case Live():
            return regions_depend_on(source.source)
        case _ if isinstance(source, NamedSource):
            return regions_depend_on(source)
        case _:
            return {"kind": "own", "description": describe_source(source)}
