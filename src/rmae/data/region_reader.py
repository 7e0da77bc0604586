"""The regions of images in training: read from a store, or made on the spot."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from rmae.config import DataConfig
from rmae.data.region_check import CheckedSource
from rmae.data.region_preparation import prepare_for_forks
from rmae.regions.label_runs import LabelRuns
from rmae.regions.live import Live
from rmae.regions.stored import Stored

RegionReader = Callable[[np.ndarray, str], LabelRuns]
"""Takes an image, (H, W, M), and its name; returns its regions. Raises a ValueError where they cannot be had."""


def open_regions(data: DataConfig) -> RegionReader:
    """Choose where regions are read from.

    Args:
        data: Its store where it names one, or else its source of regions, asked anew for every sample.

    Raises:
        ValueError: The store cannot be read.
    """
    source = data.regions if data.region_store is None else Stored(path=data.region_store)
    assert source is not None, "the configuration requires a source where regions are needed"
    prepare_for_forks(source.source if isinstance(source, Live) else source, channels=len(data.pixel_mean))
    if isinstance(source, Stored):
        _ = source.store  # a store that cannot be read is an error now, not one of every image
        return source.runs
    return _LiveReader(CheckedSource(source))


def open_regions_of_pictures(data: DataConfig) -> RegionReader:
    """As `open_regions`, for pictures that need not be in the store: of those the source itself is asked.

    Args:
        data: Its store, where that exists, and its source of regions.
    """
    live = replace(data, region_store=None)
    if data.region_store is None or not Path(data.region_store).exists():
        return open_regions(live)
    stored = Stored(path=data.region_store)
    open_live = lru_cache(lambda: open_regions(live))  # only if a picture needs it: some sources read much first

    def read(image: np.ndarray, name: str) -> LabelRuns:
        try:
            return stored.runs(image, name)
        except ValueError:
            return open_live()(image, name)

    return read


class _LiveReader:
    """Asks a source for every image."""

    def __init__(self, source: CheckedSource) -> None:
        self._source = source

    def __call__(self, image: np.ndarray, name: str) -> LabelRuns:
        return LabelRuns.of(self._source(image, name))
