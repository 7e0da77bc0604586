"""The region store of a training run: which one it is, and what it lacks."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from rmae.config import PretrainConfig
from rmae.data.layouts import ImageSet
from rmae.data.region_making import RegionMaking, make_regions
from rmae.regions.live import Live
from rmae.regions.sources import NamedSource, with_absolute_paths
from rmae.regions.store import SUFFIX
from rmae.regions.stored import Stored

_FOLDER = "regions"


def with_region_store(config: PretrainConfig, root: Path | None, *, beside: Path) -> PretrainConfig:
    """Name the files of a run's regions so that they are found from any directory, the store among them.

    Args:
        config: The run. Its store is left alone if it names one.
        root: Folder of the images; None = the bundled photographs.
        beside: The run's folder; runs beside it find the same store.

    Returns:
        The run with a store if its regions can be stored: they come from a named source that is not live.
    """
    source, store = config.data.regions, config.data.region_store
    match source:
        case Stored(path=path):
            source = Stored(path=str(Path(path).resolve()))
        case Live(source=named):
            source = Live(source=with_absolute_paths(named))
        case _ if isinstance(source, NamedSource):
            source = with_absolute_paths(source)
            if config.model.has_region_branch:
                default = beside.parent / _FOLDER / _default_name(config, source, root)
                store = str(Path(default if store is None else store).resolve())
        case _:  # none, or a callable of the user's own, which is asked anew each time
            pass
    return replace(config, data=replace(config.data, regions=source, region_store=store))


def make_training_regions(config: PretrainConfig, images: ImageSet, held_out: ImageSet) -> None:
    """Make the regions that a run's store lacks; what could not be used before is left alone.

    Args:
        config: The run, as `with_region_store` returns it.
        images: What it trains on.
        held_out: Pictures of the same folder for its report.

    Raises:
        ValueError: As `make_regions`.
        Stopped: As `make_regions`.
    """
    data = config.data
    if data.region_store is None or not isinstance(data.regions, NamedSource):
        return
    names = tuple(sorted({*images.names, *held_out.names}))
    making = RegionMaking(
        source=data.regions,
        channels=config.model.channels,
        max_pixels=data.max_pixels,
        num_workers=data.num_workers,
    )
    make_regions(images._replace(names=names), Path(data.region_store), making, retry_skipped=False)


def _default_name(config: PretrainConfig, source: NamedSource, root: Path | None) -> str:
    """One name for each folder of images, source and number of channels."""
    identity = json.dumps([None if root is None else str(root), repr(source), config.model.channels])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    name = "photographs" if root is None else root.name
    return f"{name}-{source.kind}-{digest}{SUFFIX}"
