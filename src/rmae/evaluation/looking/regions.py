"""Regions of a picture for models to complete."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.config.visualize import VisualizeConfig
from rmae.config_json import describe_source
from rmae.data.distinct_regions import RegionLabel, choose_regions, region_maps
from rmae.data.region_check import CheckedSource
from rmae.evaluation.looking.completions import num_regions_at_once
from rmae.evaluation.looking.subject import Subject
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.live import Live
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.slic import Slic
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, regions_depend_on
from rmae.visual.figure_words import rough_percent

_COMPUTED = (Felzenszwalb, Slic, Grid, SegmentAnything)  # sources that find regions in any picture


class ChosenRegions(NamedTuple):
    """Regions of one picture."""

    label_maps: np.ndarray
    """Shape (S, H, W) int32."""
    chosen: tuple[RegionLabel, ...]
    """In the order to show them."""
    reason: str = ""
    """A sentence on why there is none, where models would complete them; else nothing."""

    def maps(self, size_hw: tuple[int, int]) -> np.ndarray:
        """The regions at height h and width w in pixels, shape (R, h, w) bool."""
        return region_maps(self.label_maps, self.chosen, size_hw)


def find_regions(
    source: RegionSource,
    subjects: Sequence[Subject],
    images: Sequence[np.ndarray],
    name: str,
    config: VisualizeConfig,
    *,
    index: int,
) -> ChosenRegions:
    """Choose regions of a picture, as many as any of the models takes.

    Args:
        source: Where regions come from.
        subjects: The models.
        images: The picture as each of them reads it, shape (H, W, M), uint8 or uint16.
        name: Its path relative to its folder.
        config: Number and area of regions, and the seed.
        index: Which picture it is, >= 0.

    Returns:
        None where no model completes regions, or where none are known of this picture.

    Raises:
        WrongRegionSource: The source gave no label maps.
    """
    wanted = [num_regions_at_once(subject, config.num_regions) for subject in subjects]
    nothing = ChosenRegions(np.empty((0, *images[0].shape[:2]), np.int32), ())
    if max(wanted) == 0 or not config.region_ratios:
        return nothing
    try:
        label_maps = CheckedSource(source)(images[wanted.index(max(wanted))], name)
    except (ValueError, OSError) as error:
        return nothing._replace(reason=f"No regions are known of this picture: {error}.")
    generator = np.random.default_rng([config.seed, index])
    chosen = choose_regions(label_maps, area=config.region_area, number=max(wanted), generator=generator)
    low, high = map(rough_percent, config.region_area)
    reason = "" if chosen else f"No region covers between {low} and {high} of this picture, so none is completed."
    return ChosenRegions(label_maps, chosen, reason)


def source_of_runs(subjects: Sequence[Subject]) -> RegionSource:
    """Where the regions of the first run with a region branch came from, if any picture has such regions."""
    for subject in subjects:
        if subject.run is None or subject.model is None or subject.model.region_branch is None:
            continue
        try:
            source = subject.run.config().data.regions
        except ValueError:  # of a source of the user's own a run keeps the name alone
            continue
        source = source.source if isinstance(source, Live) else source
        if isinstance(source, _COMPUTED):
            return source
    return Felzenszwalb()


def read_annotations(source: RegionSource) -> None:
    """Read files of annotations now, so that one that cannot be read is an error, not a note at every picture.

    Raises:
        ValueError: One cannot be read.
    """
    source = source.source if isinstance(source, Live) else source
    if isinstance(source, CocoInstances | CocoPanoptic):
        source.prepare()


def source_in_words(source: RegionSource) -> str:
    """A source with its settings."""
    source = source.source if isinstance(source, Live) else source
    if not isinstance(source, NamedSource):
        return describe_source(source)
    settings = regions_depend_on(source)
    kind = settings.pop("kind")
    told = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in settings.items() if value is not None]
    return ", ".join([kind, *told])


def _value(value: object) -> str:
    return " ".join(map(_value, value)) if isinstance(value, list) else str(value)
