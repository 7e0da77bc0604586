"""The sources of regions that have a name and settings."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.random_masks import RandomMasks
from rmae.regions.sam_json import SamJson
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.slic import Slic
from rmae.regions.source import SPEED_ONLY

NamedSource = CocoInstances | CocoPanoptic | Felzenszwalb | Grid | RandomMasks | SamJson | SegmentAnything | Slic
"""Sources whose regions follow from their settings and the images, so that they can be made once and stored."""

Source = TypeVar("Source", bound=NamedSource)

_PATHS = {"annotations", "folder", "store", "checkpoint"}
"""Settings that are files or folders; one that is not there, such as a checkpoint's hub id, stays as it is."""


def regions_depend_on(source: NamedSource) -> dict[str, Any]:
    """The settings that a source's regions depend on, as JSON gives them back: lists for tuples."""
    settings = {
        field.name: getattr(source, field.name) for field in fields(source) if not field.metadata.get(SPEED_ONLY)
    }
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    """A value as JSON gives it back, and the same for 500 and 500.0."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_absolute_paths(source: Source) -> Source:
    """Name a source's files so that it means the same in any directory."""
    found = {field.name: getattr(source, field.name) for field in fields(source) if field.name in _PATHS}
    return replace(source, **{name: _absolute(value) for name, value in found.items()})


def _absolute(value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    if isinstance(value, tuple):
        return tuple(str(_absolute(path)) for path in value)
    return str(Path(value).resolve()) if value is not None and Path(value).exists() else value
