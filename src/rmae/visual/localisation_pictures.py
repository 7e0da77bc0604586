"""An object in its picture, and maps of the picture seen from a patch inside it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.visual.evaluation_report import ExampleFigure
from rmae.visual.figure_words import rough_percent
from rmae.visual.heat_maps import draw_heat_map, mark_block, spread_evenly
from rmae.visual.outlines import draw_outline
from rmae.visual.pictures import show_stored

_LONGER_SIDE = 256  # of a shown picture in pixels: a page has many


class PatchMap(NamedTuple):
    """A map with one value for each patch."""

    values: np.ndarray
    """Shape (rows, columns) float."""
    title: str
    """A few words."""
    caption: str
    """A few figures."""


def localisation_figures(
    image: np.ndarray, mask: np.ndarray, maps: Sequence[PatchMap], *, query: tuple[int, int]
) -> tuple[ExampleFigure, ...]:
    """Show an object in its picture, and maps beside it.

    Args:
        image: Shape (H, W, 3) uint8.
        mask: Of the object, shape (H, W) bool.
        maps: At least one, all of one shape.
        query: Row and column of the patch from which the maps are seen. It is marked; its value gets a colour, but
            does not stretch the scale, for it is often far above all others.

    Returns:
        One figure of the picture and one of each map, of one size, their longer side 256 pixels.
    """
    height, width = mask.shape
    scale = _LONGER_SIDE / max(height, width)
    size_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    shown, shown_mask = show_stored(image, size_hw), spread_evenly(mask, size_hw)
    grid = (maps[0].values.shape[0], maps[0].values.shape[1])
    picture = mark_block(draw_outline(shown, shown_mask), query, grid)
    figures = [ExampleFigure(picture, "Object", f"{rough_percent(float(mask.mean()))} of the picture")]
    for each in maps:
        heat = draw_heat_map(each.values, shown, limits=_limits(each.values, query))
        drawn = mark_block(draw_outline(heat, shown_mask), query, grid)
        figures.append(ExampleFigure(drawn, each.title, each.caption))
    return tuple(figures)


def _limits(values: np.ndarray, query: tuple[int, int]) -> tuple[float, float]:
    """From 0, or the lowest value where that is below, to the highest outside of the query patch."""
    others = np.delete(values.ravel(), query[0] * values.shape[1] + query[1])
    return min(0.0, float(values.min())), float(others.max())
