"""What a visitor can do, and how it is read from what a browser sends: nothing of that is trusted."""

import base64
import binascii
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rmae.app.marks import Box, Mark, Point, Stroke
from rmae.quoting import quoted

View = Literal["masks", "attention", "regions"]
"""What is seen over the picture."""
Wanted = Literal["labels", "cutout", "coco"]
"""What can be downloaded."""

MOST_ACTIONS = 64
"""Actions in one request."""
MOST_POINTS = 2000
"""Points of a stroke."""
_LONGEST_NAME = 200
_LARGEST_NUMBER = 1e9


@dataclass(frozen=True, kw_only=True)
class OpenFile:
    """Open a picture of the visitor's own."""

    name: str
    encoded: bytes


@dataclass(frozen=True, kw_only=True)
class OpenExample:
    """Open one of the pictures that the page offers."""

    number: int


@dataclass(frozen=True, kw_only=True)
class AddMark:
    """Mark the chosen object."""

    mark: Mark


@dataclass(frozen=True, kw_only=True)
class NewObject:
    """Begin another object."""


@dataclass(frozen=True, kw_only=True)
class ChooseObject:
    """Go on with an object."""

    number: int


@dataclass(frozen=True, kw_only=True)
class RemoveObject:
    """Take an object away."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Undo:
    """Take back what was marked last."""


@dataclass(frozen=True, kw_only=True)
class Show:
    """Look at masks, attention or regions."""

    view: View


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Ask what the patch at a place attends to."""

    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Attend:
    """Choose whose attention is seen; None = the mean of all heads."""

    layer: int
    head: int | None


@dataclass(frozen=True, kw_only=True)
class ShowRegions:
    """Choose which regions are seen; None = all maps in one."""

    source: int
    label_map: int | None


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Show the second model beside the first, or put it away."""

    on: bool


@dataclass(frozen=True, kw_only=True)
class Download:
    """Ask for a file with the masks of one of the models."""

    wanted: Wanted
    model: int


Marking = AddMark | NewObject | ChooseObject | RemoveObject | Undo
Looking = Show | Ask | Attend | ShowRegions | Compare
Opening = OpenFile | OpenExample
Action = Marking | Looking | Opening | Download
_SLOW = Opening | Download


class Request(NamedTuple):
    """What a page sends at once."""

    number: int
    """Its own count, by which it recognises the reply."""
    has_picture: int
    """Number of the picture that the page shows, 0 = none."""
    actions: tuple[Action, ...]
    """In the order in which the visitor did them."""


def parse_request(found: object) -> Request:
    """Read what a page sent.

    Args:
        found: As JSON gives it; anything.

    Returns:
        The request, its numbers finite, its lists and words of bounded length. Whether places lie on the picture and
        objects exist is looked at later.

    Raises:
        ValueError: It is no request of the page.
    """
    match found:
        case {"number": number, "has_picture": has_picture, "actions": list(actions)}:
            if len(actions) > MOST_ACTIONS:
                raise ValueError(f"{len(actions)} actions came at once; at most {MOST_ACTIONS} are taken")
            request = Request(_count(number), _count(has_picture), tuple(_action(each) for each in actions))
            if sum(isinstance(each, _SLOW) for each in request.actions) > 1:
                raise ValueError("several pictures or files were asked for at once; ask for one after the other")
            return request
    raise ValueError("the page sent something that is no request; reload it")


def _action(found: object) -> Action:
    action = _marking(found) or _looking(found) or _file(found)
    if action is None:
        raise ValueError(f"the page sent an action that is not known: {quoted(found)}; reload it")
    return action


def _marking(found: object) -> Marking | None:
    match found:
        case {"kind": "point" | "stroke" | "box"}:
            return AddMark(mark=_mark(found))
        case {"kind": "new_object"}:
            return NewObject()
        case {"kind": "choose_object", "number": number}:
            return ChooseObject(number=_count(number))
        case {"kind": "remove_object", "number": number}:
            return RemoveObject(number=_count(number))
        case {"kind": "undo"}:
            return Undo()
    return None


def _looking(found: object) -> Looking | None:
    match found:
        case {"kind": "show", "view": "masks" | "attention" | "regions" as view}:
            return Show(view=view)
        case {"kind": "ask", "x": x, "y": y}:
            return Ask(x=_number(x), y=_number(y))
        case {"kind": "attend", "layer": layer, "head": head}:
            return Attend(layer=_count(layer), head=None if head is None else _count(head))
        case {"kind": "show_regions", "source": source, "label_map": label_map}:
            return ShowRegions(source=_count(source), label_map=None if label_map is None else _count(label_map))
        case {"kind": "compare", "on": bool(on)}:
            return Compare(on=on)
    return None


def _file(found: object) -> Opening | Download | None:
    match found:
        case {"kind": "open_file", "name": str(name), "encoded": str(encoded)}:
            return OpenFile(name=plain_name(name), encoded=_bytes(encoded))
        case {"kind": "open_example", "number": number}:
            return OpenExample(number=_count(number))
        case {"kind": "download", "wanted": "labels" | "cutout" | "coco" as wanted, "model": model}:
            return Download(wanted=wanted, model=_count(model))
    return None


def plain_name(name: str) -> str:
    """The last part of a file's name without control characters, for people to read; it is never opened."""
    last = name.replace("\\", "/").rpartition("/")[2]
    readable = "".join(letter for letter in last if letter.isprintable()).strip()
    return readable[-_LONGEST_NAME:] or "picture"


def _mark(found: object) -> Mark:
    match found:
        case {"kind": "point", "x": x, "y": y, "positive": bool(positive)}:
            return Point(x=_number(x), y=_number(y), positive=positive)
        case {"kind": "stroke", "points": list(points), "width": width, "positive": bool(positive)}:
            if not 1 <= len(points) <= MOST_POINTS:
                raise ValueError(f"a stroke has {len(points)} points; it must have 1 to {MOST_POINTS}")
            brush = _number(width)
            if brush <= 0:
                raise ValueError(f"the brush is {brush:g} pixels wide; it must be wider than 0")
            return Stroke(points_xy=tuple(map(_pair, points)), width=brush, positive=positive)
        case {"kind": "box", "xyxy": [left, top, right, bottom]}:
            box = (_number(left), _number(top), _number(right), _number(bottom))
            if not (box[0] < box[2] and box[1] < box[3]):
                raise ValueError("a box has no area; drag from one corner of the object to the opposite one")
            return Box(xyxy=box)
    raise ValueError(f"the page sent a mark that is not known: {quoted(found)}; reload it")


def _pair(found: object) -> tuple[float, float]:
    match found:
        case [x, y]:
            return _number(x), _number(y)
    raise ValueError(f"a point of a stroke is {quoted(found)}; it must be x and y")


def _number(found: object) -> float:
    if isinstance(found, int | float) and not isinstance(found, bool) and abs(found) <= _LARGEST_NUMBER:
        return float(found)
    raise ValueError(f"a place is {quoted(found)}; it must be a number of pixels")


def _count(found: object) -> int:
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _LARGEST_NUMBER:
        return found
    raise ValueError(f"a number is {quoted(found)}; it must be a whole one, 0 or more")


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the picture did not arrive whole; open it again") from None
