"""What a visitor has done so far: frozen values, and pure functions from one to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from rmae.app.actions import View
from rmae.app.marks import Box, Mark, Marks, Point, Stroke
from rmae.app.picture import Picture

MOST_OBJECTS = 40
"""Objects of a picture."""
MOST_MARKS = 200
"""Marks of an object."""
MOST_STROKE_POINTS = 50_000
"""Points of all strokes on a picture, of which the page is told with every reply."""
_MOST_STEPS = 200  # that can be taken back


class Step(NamedTuple):
    """What can be taken back."""

    objects: tuple[Marks, ...]
    chosen: int


class ShownMask(NamedTuple):
    """A model's answer to the marks of an object, at the size at which the picture is shown."""

    bits: np.ndarray
    """The mask's pixels, eight to a byte, in rows; shape (ceil(h w / 8),) uint8."""
    share: float
    """Of the picture that the mask covers, in [0, 1]."""
    confidence: float
    """IoU that it may expect, in [0, 1]."""

    def pixels(self, size_hw: tuple[int, int]) -> np.ndarray:
        """The mask, shape (h, w) bool."""
        height, width = size_hw
        return np.unpackbits(self.bits, count=height * width).reshape(size_hw).astype(bool)


class RegionMaps(NamedTuple):
    """Regions of the picture, at the size at which it is shown."""

    source: int
    """Which of the app's sources they are from."""
    label_maps: np.ndarray
    """Shape (S, h, w) int32."""
    caption: str
    """Of what they were made."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is seen."""

    view: View = "masks"
    """Over the picture."""
    layer: int | None = None
    """Block whose attention is seen; None = the last one."""
    head: int | None = None
    """Its head; None = the mean of all."""
    asked_xy: tuple[float, float] | None = None
    """A place in the patch that asks, in pixels of the picture; None = the middle."""
    source: int = 0
    """Which of the app's sources of regions."""
    label_map: int | None = None
    """Which of its maps; None = all in one."""
    compare: bool = False
    """Whether the second model is seen too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A visitor's state."""

    picture: Picture | None = None
    objects: tuple[Marks, ...] = ((),)
    """Marks of each object; at least one, which may have none yet."""
    chosen: int = 0
    """Object that marks are added to."""
    past: tuple[Step, ...] = ()
    """What can be taken back, the last step last."""
    look: Look = field(default_factory=Look)
    masks: Mapping[tuple[int, Marks], ShownMask | None] = field(default_factory=dict)
    """Answers, by model and marks; None where marks name no object."""
    regions: RegionMaps | None = None
    """Those that were seen last."""

    def opened(self) -> Picture:
        """The picture.

        Raises:
            ValueError: There is none.
        """
        if self.picture is None:
            raise ValueError("there is no picture any more; open it again")
        return self.picture


def with_picture(session: Session, picture: Picture) -> Session:
    """Begin anew with another picture; what is looked at stays, the place that was asked about does not."""
    return Session(picture=picture, look=replace(session.look, asked_xy=None))


def add_mark(session: Session, mark: Mark) -> Session:
    """Mark the chosen object; a box takes the place of the one before.

    Raises:
        ValueError: The mark lies beside the picture, or there are too many.
    """
    _check_place(mark, session.opened().size_hw)
    marks = session.objects[session.chosen]
    if isinstance(mark, Box):
        marks = tuple(each for each in marks if not isinstance(each, Box))
    if len(marks) >= MOST_MARKS:
        raise ValueError(f"this object has {len(marks)} marks; begin another one, or take some back")
    if isinstance(mark, Stroke) and _stroke_points(session) + len(mark.points_xy) > MOST_STROKE_POINTS:
        raise ValueError("there is no room for more strokes on this picture; take some back, or an object away")
    return _with_object(session, (*marks, mark))


def new_object(session: Session) -> Session:
    """Begin another object, or go on with the empty one that there is.

    Raises:
        ValueError: There are too many.
    """
    session.opened()
    if () in session.objects:
        return replace(session, chosen=session.objects.index(()))
    if len(session.objects) >= MOST_OBJECTS:
        raise ValueError(f"there are {len(session.objects)} objects; take one away first")
    return replace(_remembered(session), objects=(*session.objects, ()), chosen=len(session.objects))


def choose_object(session: Session, number: int) -> Session:
    """Go on with an object."""
    _check_object(session, number)
    return replace(session, chosen=number)


def remove_object(session: Session, number: int) -> Session:
    """Take an object away; the last one is only emptied."""
    _check_object(session, number)
    rest = session.objects[:number] + session.objects[number + 1 :]
    chosen = session.chosen - (session.chosen > number)
    return replace(_remembered(session), objects=rest or ((),), chosen=min(chosen, max(0, len(rest) - 1)))


def undo(session: Session) -> Session:
    """Take back the last mark, or the last object that was begun or taken away; nothing where there is nothing."""
    if not session.past:
        return session
    *past, last = session.past
    return replace(session, objects=last.objects, chosen=last.chosen, past=tuple(past))


def ask(session: Session, x: float, y: float) -> Session:
    """Ask what the patch at a place attends to.

    Raises:
        ValueError: The place lies beside the picture.
    """
    _check_place(Point(x=x, y=y, positive=True), session.opened().size_hw)
    return replace(session, look=replace(session.look, asked_xy=(x, y)))


def patch_at(session: Session, grid: tuple[int, int]) -> tuple[int, int]:
    """Row and column, among so many, of the patch that asks."""
    height, width = session.opened().size_hw
    x, y = session.look.asked_xy or (width / 2, height / 2)
    return min(grid[0] - 1, int(y / height * grid[0])), min(grid[1] - 1, int(x / width * grid[1]))


def _check_place(mark: Mark, size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    match mark:
        case Point():
            inside = 0 <= mark.x < width and 0 <= mark.y < height
        case Box():
            left, top, right, bottom = mark.xyxy
            inside = min(left, top) >= 0 and right <= width and bottom <= height
        case _:
            inside = all(0 <= x <= width and 0 <= y <= height for x, y in mark.points_xy) and mark.width <= max(size_hw)
    if not inside:
        raise ValueError(f"a mark lies beside the picture of {width} x {height} pixels; mark inside of it")


def _check_object(session: Session, number: int) -> None:
    if not 0 <= number < len(session.objects):
        raise ValueError(f"there is no object {number + 1}; there are {len(session.objects)}")


def _stroke_points(session: Session) -> int:
    return sum(len(mark.points_xy) for marks in session.objects for mark in marks if isinstance(mark, Stroke))


def _with_object(session: Session, marks: Marks) -> Session:
    objects = (*session.objects[: session.chosen], marks, *session.objects[session.chosen + 1 :])
    return replace(_remembered(session), objects=objects)


def _remembered(session: Session) -> Session:
    """The session with what it is now at the end of its past."""
    return replace(session, past=(*session.past, Step(session.objects, session.chosen))[-_MOST_STEPS:])
