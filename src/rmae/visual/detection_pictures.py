"""Objects drawn into their picture: masks as tints with an outline, boxes, and what each is taken for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.regions.placed_mask import PlacedMask
from rmae.visual.evaluation_report import ExampleFigure
from rmae.visual.label_map_pictures import class_colours
from rmae.visual.lettering import letter
from rmae.visual.pictures import nearest_edge, show_stored
from rmae.visual.region_pictures import shown_size

_TINT = 0.42  # share of an object's colour inside its mask
_LETTERS = 13  # height of letters in pixels
_WIDEST_TAG = 220
_FRAME = 2  # thickness of a box's line


class DrawnObject(NamedTuple):
    """An object, true or found."""

    label: int
    """Category, from 0 on; its colour is the category's on every picture."""
    words: str
    """What stands on its tag."""
    box_xyxy: tuple[float, float, float, float]
    """In pixels of the picture."""
    mask: PlacedMask
    """In pixels of the picture."""


def detection_figures(
    image: np.ndarray, truth: Sequence[DrawnObject], found: Sequence[DrawnObject], *, num_classes: int, caption: str
) -> tuple[ExampleFigure, ...]:
    """Show what is in a picture beside what was found there.

    Args:
        image: Shape (H, W, 3) uint8.
        truth: The objects of the picture.
        found: Those that were found.
        num_classes: Number of categories, at least 1.
        caption: Which of the finds are shown.

    Returns:
        Two figures of one size, their longer side between 320 and 640 pixels.
    """
    count = "no object" if not truth else "1 object" if len(truth) == 1 else f"{len(truth)} objects"
    return (
        ExampleFigure(draw_objects(image, truth, num_classes=num_classes), "Truth", count),
        ExampleFigure(draw_objects(image, found, num_classes=num_classes), "Found", caption),
    )


def draw_objects(image: np.ndarray, objects: Sequence[DrawnObject], *, num_classes: int) -> np.ndarray:
    """Draw objects into their picture, small ones on top.

    Args:
        image: Shape (H, W, 3) uint8.
        objects: What to draw.
        num_classes: Number of categories, at least 1.

    Returns:
        Shape (h, w, 3) uint8, the longer side between 320 and 640 pixels.
    """
    size_hw = shown_size(image.shape[0], image.shape[1])
    scale = (size_hw[0] / image.shape[0], size_hw[1] / image.shape[1])
    drawn = show_stored(image, size_hw)
    colours = class_colours(num_classes)
    by_area = sorted(objects, key=lambda each: -each.mask.pixels.size)
    for each in by_area:
        _tint(drawn, _enlarge(each.mask, scale), colours[each.label])
    for each in by_area:
        _frame(drawn, each.box_xyxy, scale, colours[each.label])
    for each in by_area:  # last, for tags are to be read
        _tag(drawn, each, scale, colours[each.label])
    return drawn


def _enlarge(mask: PlacedMask, scale: tuple[float, float]) -> PlacedMask:
    """A mask in a scaled picture: a pixel is on where its centre lies in one that is on."""
    ranges = []
    for first, number, factor in zip((mask.top, mask.left), mask.pixels.shape, scale, strict=True):
        places = np.arange(round(first * factor), round((first + number) * factor))
        old = np.floor((places + 0.5) / factor).astype(np.int64) - first
        ranges.append((int(places[0]) if len(places) else 0, old.clip(0, max(0, number - 1))))
    (top, rows), (left, columns) = ranges
    return PlacedMask(top, left, mask.pixels[np.ix_(rows, columns)])


def _tint(drawn: np.ndarray, mask: PlacedMask, colour: tuple[int, int, int]) -> None:
    window = drawn[mask.box]
    mixed = (1 - _TINT) * window + _TINT * np.array(colour)
    window[mask.pixels] = np.rint(mixed).astype(np.uint8)[mask.pixels]
    padded = np.pad(mask.pixels, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    window[mask.pixels & ~inside] = colour


def _frame(
    drawn: np.ndarray, box: tuple[float, float, float, float], scale: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    top, bottom = (nearest_edge(edge * scale[0], drawn.shape[0]) for edge in (box[1], box[3]))
    left, right = (nearest_edge(edge * scale[1], drawn.shape[1]) for edge in (box[0], box[2]))
    drawn[top : top + _FRAME, left:right] = colour
    drawn[max(top, bottom - _FRAME) : bottom, left:right] = colour
    drawn[top:bottom, left : left + _FRAME] = colour
    drawn[top:bottom, max(left, right - _FRAME) : right] = colour


def _tag(drawn: np.ndarray, each: DrawnObject, scale: tuple[float, float], colour: tuple[int, int, int]) -> None:
    """Write an object's words at the upper left of its box, inside the picture."""
    red, green, blue = colour
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128
    ink = (255, 255, 255) if dark else (0, 0, 0)
    written = letter(each.words, width=_WIDEST_TAG, size=_LETTERS, colour=ink, ground=colour, bold=True)
    used = np.flatnonzero((written != colour).any(axis=(0, 2)))
    width = int(used[-1]) + 1 if len(used) else 0
    tag = np.empty((written.shape[0], width + 6, 3), np.uint8)
    tag[:] = colour
    tag[:, 3 : 3 + width] = written[:, :width]
    tag = tag[: drawn.shape[0], : drawn.shape[1]]
    top = min(nearest_edge(each.box_xyxy[1] * scale[0], drawn.shape[0]), drawn.shape[0] - tag.shape[0])
    left = min(nearest_edge(each.box_xyxy[0] * scale[1], drawn.shape[1]), drawn.shape[1] - tag.shape[1])
    drawn[top : top + tag.shape[0], left : left + tag.shape[1]] = tag
