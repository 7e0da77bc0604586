"""The regions of images in training: read from a store, or made on the spot."""

from collections.abc import Callable

import numpy as np

from rmae.config import DataConfig
from rmae.data.region_check import CheckedSource
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
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
    if isinstance(source, Stored):
        _ = source.store  # a store that cannot be read is an error now, not one of every image
        return source.runs
    match source:
        case Live(source=CocoInstances() | CocoPanoptic() as annotated):
            annotated.prepare()  # once, before processes are forked
        case _:
            pass
    return _LiveReader(CheckedSource(source))


class _LiveReader:
    """Asks a source for every image."""

    def __init__(self, source: CheckedSource) -> None:
        self._source = source

    def __call__(self, image: np.ndarray, name: str) -> LabelRuns:
        return LabelRuns.of(self._source(image, name))
