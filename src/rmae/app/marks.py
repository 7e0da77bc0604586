"""What a visitor marks on a picture, and the prompt that a model is given of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from PIL import Image, ImageDraw

from rmae.interactive.prompts import BACKGROUND, OBJECT, Prompt


@dataclass(frozen=True, kw_only=True)
class Point:
    """A click."""

    x: float
    """In pixels of the picture, to the right."""
    y: float
    """In pixels of the picture, down."""
    positive: bool
    """Whether it is on the object, or else beside it."""


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A line drawn with a brush."""

    points_xy: tuple[tuple[float, float], ...]
    """At least one, in pixels of the picture."""
    width: float
    """Of the brush, in pixels of the picture, above 0."""
    positive: bool
    """Whether it is on the object, or else beside it."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box around the object."""

    xyxy: tuple[float, float, float, float]
    """Left, top, right and bottom in pixels of the picture; left < right and top < bottom."""


Mark = Point | Stroke | Box
Marks = tuple[Mark, ...]


def to_prompt(marks: Marks, picture_hw: tuple[int, int], size_hw: tuple[int, int]) -> Prompt | None:
    """Put the marks of an object into the form in which a model is asked.

    Args:
        marks: In pixels of the picture; of several boxes the last one counts, and where strokes cross the later one.
        picture_hw: Height and width of the picture in pixels.
        size_hw: Height and width at which the mask is wanted.

    Returns:
        The marks in pixels of that size; None where nothing marks the object itself.
    """
    scale_y, scale_x = size_hw[0] / picture_hw[0], size_hw[1] / picture_hw[1]
    points = [mark for mark in marks if isinstance(mark, Point)]
    strokes = [mark for mark in marks if isinstance(mark, Stroke)]
    boxes = [mark for mark in marks if isinstance(mark, Box)]
    scribbles = _scribbles(strokes, (scale_y, scale_x), size_hw) if strokes else None
    on_object = any(point.positive for point in points) or (scribbles is not None and (scribbles == OBJECT).any())
    if not on_object and not boxes:
        return None
    left, top, right, bottom = boxes[-1].xyxy if boxes else (0, 0, 0, 0)
    return Prompt(
        points_xy=tuple(
            (_below(point.x * scale_x, size_hw[1]), _below(point.y * scale_y, size_hw[0])) for point in points
        ),
        positive=tuple(point.positive for point in points),
        box_xyxy=(left * scale_x, top * scale_y, right * scale_x, bottom * scale_y) if boxes else None,
        scribbles=scribbles,
    )


def mark_as_json(mark: Mark) -> dict[str, Any]:
    """Write a mark as the page sends and takes it."""
    match mark:
        case Point():
            return {"kind": "point", "x": mark.x, "y": mark.y, "positive": mark.positive}
        case Stroke():
            points = [list(point) for point in mark.points_xy]
            return {"kind": "stroke", "points": points, "width": mark.width, "positive": mark.positive}
        case Box():
            return {"kind": "box", "xyxy": list(mark.xyxy)}
        case _:
            assert_never(mark)


def _scribbles(strokes: Sequence[Stroke], scale: tuple[float, float], size_hw: tuple[int, int]) -> np.ndarray:
    """What strokes cover, shape (h, w) int8."""
    values = {0: 0, 1: OBJECT, 2: BACKGROUND}
    canvas = Image.new("L", (size_hw[1], size_hw[0]))
    pen = ImageDraw.Draw(canvas)
    for stroke in strokes:
        ink = 1 if stroke.positive else 2
        # Pillow counts from the middle of the first pixel.
        points = [(x * scale[1] - 0.5, y * scale[0] - 0.5) for x, y in stroke.points_xy]
        width = max(1.0, stroke.width * (scale[0] * scale[1]) ** 0.5)
        if len(points) > 1:
            pen.line(points, fill=ink, width=round(width), joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)
    return np.array([values[ink] for ink in range(3)], np.int8)[np.asarray(canvas)]


def _below(place: float, size: int) -> float:
    """A place inside [0, size), whatever rounding has done to it."""
    return min(place, float(np.nextafter(size, 0)))
