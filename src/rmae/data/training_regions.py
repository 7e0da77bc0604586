"""The region store of a training run: which one it is, and what it lacks."""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmae.config import PretrainConfig
from rmae.data.image_set import ImageSet
from rmae.data.photographs import photographs_folder
from rmae.data.region_making import RegionMaking, make_regions
from rmae.data.region_reader import are_inside, open_regions
from rmae.data.share import Share
from rmae.quoting import LONGEST_SENTENCE, one_line
from rmae.regions.live import Live
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.sources import NamedSource, regions_depend_on, with_absolute_paths
from rmae.regions.store import SUFFIX
from rmae.regions.store_lock import StoreBusyError
from rmae.regions.stored import Stored

_FOLDER = "regions"
_SECONDS_BETWEEN_LOOKS = 1.0


def with_region_store(config: PretrainConfig, images: ImageSet, *, beside: Path) -> PretrainConfig:
    """Name the files of a run's regions so that they are found from any directory, the store among them.

    Args:
        config: The run. Its store is left alone if it names one.
        images: What it trains on.
        beside: The run's folder; runs beside it find the same store.

    Returns:
        The run with a store if its regions are to be stored: they come from a named source that is not live, and do
        not stand beside the images already.
    """
    source, store = config.data.regions, config.data.region_store
    match source:
        case Stored(path=path):
            source = Stored(path=str(Path(path).resolve()))
        case Live(source=named):
            source = Live(source=with_absolute_paths(named))
        case _ if isinstance(source, NamedSource):
            source = with_absolute_paths(source)
            wanted = replace(config.data, regions=source)
            if config.model.has_region_branch and not are_inside(wanted, images):
                default = beside.parent / _FOLDER / _default_name(config, source, images.root)
                store = str(Path(default if store is None else store).resolve())
        case _:  # none, or a callable of the user's own, which is asked anew each time
            pass
    return replace(config, data=replace(config.data, regions=source, region_store=store))


def make_training_regions(config: PretrainConfig, images: ImageSet) -> None:
    """Make the regions that a run's store lacks; what could not be used before is left alone.

    Where nothing is to be made, a store or annotations that cannot be read are an error here, before the run's folder
    is made. Of several runs that want the same store one makes it, and the others wait.

    Args:
        config: The run, as `with_region_store` returns it.
        images: What it trains on.

    Raises:
        ValueError: As `make_regions` and `open_regions`.
        Stopped: As `make_regions`.
    """
    data = config.data
    if not config.model.has_region_branch:
        return
    if data.region_store is None or not isinstance(data.regions, NamedSource):
        open_regions(data, images)
        if are_inside(data, images):
            _say(f"regions: beside the images in {images.root}")
        return
    path = Path(data.region_store)
    making = RegionMaking(
        source=data.regions,
        channels=config.model.channels,
        max_pixels=data.max_pixels,
        num_workers=None if isinstance(data.regions, SegmentAnything) else data.num_workers,
    )
    store, waiting = None, False
    while store is None:
        try:
            store = make_regions(images, path, making, retry_skipped=False, share=Share(0, 1))
        except StoreBusyError:
            if not waiting:
                _say(f"another process is making the regions in {path}; waiting for it")
            waiting = True
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    moved = "" if store.header.root == str(images.root) else f", made when the images were in {store.header.root}"
    _say(f"regions: {path}{moved}")


def _say(sentence: str) -> None:
    """Print a line at once; a path in it may be of bytes that no output has letters for."""
    print(one_line(sentence, longest=LONGEST_SENTENCE), flush=True)


def _default_name(config: PretrainConfig, source: NamedSource, root: Path) -> str:
    """One name for each folder of images, source with the files that it looks up, and number of channels."""
    bundled = root == photographs_folder()  # elsewhere on every machine
    settings = regions_depend_on(source)
    stamps = [_stamp(value) for value in settings.values()]
    identity = json.dumps([None if bundled else str(root), settings, stamps, config.model.channels])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    name = "photographs" if bundled else root.name
    return f"{name}-{source.kind}-{digest}{SUFFIX}"


def _stamp(value: Any) -> Any:
    """Size and time of a file that a setting names, so that a changed file has another store; None for all else."""
    if isinstance(value, list):
        return [_stamp(part) for part in value]
    if not isinstance(value, str) or not Path(value).is_file():
        return None
    status = Path(value).stat()
    return [status.st_size, status.st_mtime_ns]
