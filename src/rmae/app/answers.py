"""Masks and regions of a visitor's picture, made when they are wanted and kept while they are."""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

import numpy as np

from rmae.app.opened_model import OpenedModel
from rmae.app.picture import Picture
from rmae.app.session import RegionMaps, Session, ShownMask
from rmae.data.crops import Crop, crop_image, sample_positions
from rmae.data.region_check import CheckedSource
from rmae.interactive.segmenter import ObjectMask
from rmae.regions.source import RegionSource

_MOST_REGION_PIXELS = 2_000_000  # a second or two of work
_FINDING = Lock()  # a source may be the user's own, or load a model at its first picture


class NamedRegions(NamedTuple):
    """Regions that a visitor can choose to see."""

    name: str
    source: RegionSource


def num_shown(session: Session) -> int:
    """Number of models whose answers are seen, 1 or 2."""
    return 2 if session.look.compare else 1


def with_masks(session: Session, models: Sequence[OpenedModel]) -> Session:
    """Let the models that are seen answer all marks that they have not yet."""
    picture = session.opened()
    known = dict(session.masks)
    for number, model in enumerate(models[: num_shown(session)]):
        for marks in session.objects:
            if (number, marks) not in known:
                found = model.outline(picture.sights[number], marks, picture.shown_hw)
                known[number, marks] = None if found is None else _shown(found)
    # One step back is kept too, so that undo costs nothing.
    wanted = {*session.objects, *(session.past[-1].objects if session.past else ())}
    return replace(session, masks={key: mask for key, mask in known.items() if key[1] in wanted})


def with_regions(session: Session, sources: Sequence[NamedRegions]) -> Session:
    """Make the regions that are to be seen, unless they are there.

    Raises:
        ValueError: The source has none for this picture.
    """
    regions = session.regions
    if regions is None or regions.source != session.look.source:
        with _FINDING:
            regions = _find_regions(session.opened(), session.look.source, sources)
    label_map = session.look.label_map
    if label_map is not None and label_map >= len(regions.label_maps):
        label_map = None
    return replace(session, regions=regions, look=replace(session.look, label_map=label_map))


def _find_regions(picture: Picture, chosen: int, sources: Sequence[NamedRegions]) -> RegionMaps:
    image = _reduced(picture)
    height, width = image.shape[:2]
    try:
        label_maps = CheckedSource(sources[chosen].source)(image, picture.name)
    except (OSError, TypeError) as error:  # of a source of the user's own, too
        raise ValueError(f"{sources[chosen].name} has no regions for {picture.name}: {error}") from error
    rows, columns = sample_positions(Crop(0, 0, height, width, False), picture.shown_hw)
    caption = "" if (height, width) == picture.size_hw else f", made at {width} \N{MULTIPLICATION SIGN} {height} pixels"
    return RegionMaps(chosen, label_maps[:, rows[:, None], columns], caption)


def _shown(found: ObjectMask) -> ShownMask:
    return ShownMask(np.packbits(found.mask), float(found.mask.mean()), found.confidence)


def _reduced(picture: Picture) -> np.ndarray:
    """The picture, or where it is large a smaller copy; shape (H, W, M)."""
    image = picture.pixels()
    height, width = image.shape[:2]
    scale = (_MOST_REGION_PIXELS / (height * width)) ** 0.5
    if scale >= 1:
        return image
    size_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    return np.ascontiguousarray(crop_image(image, Crop(0, 0, height, width, False), size_hw).transpose(1, 2, 0))
