"""What is done once before processes are forked, so that each of them need not do it."""

import numpy as np

from rmae.data.crops import Crop
from rmae.data.drawing import draw_regions
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.label_runs import LabelRuns
from rmae.regions.source import RegionSource


def prepare_for_forks(source: RegionSource | None, *, channels: int) -> None:
    """Compile the loops that regions go through, and read what a source looks up.

    Args:
        source: Where regions come from; None = a store.
        channels: Channels in which images are read.

    Raises:
        ValueError: The annotations of the source cannot be read.
    """
    runs = LabelRuns.of(np.zeros((1, 2, 2), dtype=np.int32))
    runs = LabelRuns.unpack(runs.pack(), num_maps=1, height=2, width=2)
    visible = np.ones((2, 2), dtype=bool)
    generator = np.random.default_rng(0)
    draw_regions(runs, Crop(0, 0, 2, 2, False), (2, 2), num_regions=1, generator=generator, visible=visible)
    match source:
        case CocoInstances() | CocoPanoptic():
            source.prepare()
        case Felzenszwalb():
            for dtype in (np.uint8, np.uint16):
                source(np.zeros((2, 2, channels), dtype=dtype), "")
        case _:
            pass
