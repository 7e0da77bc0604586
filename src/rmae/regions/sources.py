"""The sources of regions that have a name and settings."""

from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.random_masks import RandomMasks
from rmae.regions.sam import SamJson
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.slic import Slic

NamedSource = CocoInstances | CocoPanoptic | Felzenszwalb | Grid | RandomMasks | SamJson | SegmentAnything | Slic
"""Sources whose regions follow from their settings and the images, so that they can be made once and stored."""

Source = TypeVar("Source", bound=NamedSource)

_PATHS = {"annotations", "folder", "store", "checkpoint"}
"""Settings that are files or folders; one that is not there, such as a checkpoint's hub id, stays as it is."""


def with_absolute_paths(source: Source) -> Source:
    """Name a source's files so that it means the same in any directory."""
    found = {field.name: getattr(source, field.name) for field in fields(source) if field.name in _PATHS}
    return replace(source, **{name: _absolute(value) for name, value in found.items()})


def _absolute(value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    if isinstance(value, tuple):
        return tuple(str(_absolute(path)) for path in value)
    return str(Path(value).resolve()) if value is not None and Path(value).exists() else value
