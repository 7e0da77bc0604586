"""What came of one picture, and how it is kept: a line of JSON each, so that a stopped evaluation goes on."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rmae.evaluation.interactive.visible_shares import SharesIou
from rmae.files import naming, parse_json, write_atomically
from rmae.quoting import one_line, quoted

FORMAT_VERSION = 1
"""Version of the file; what is in one of another version is done again."""
_FORMAT = "interactive objects"


class ClickScores(NamedTuple):
    """How a method came closer to an object."""

    iou: tuple[float, ...]
    """After each click, in [0, 1]."""
    confidence: tuple[float, ...]
    """What it expected, in [0, 1]; NaN where it expects nothing."""


class Seconds(NamedTuple):
    """How long a method took."""

    picture: float
    """To look at the picture."""
    click: float
    """To answer a click, mean over all clicks on the picture; NaN where there was none."""


@dataclass(frozen=True, kw_only=True)
class ObjectResult:
    """What came of one object."""

    number: int
    """Which object of the part."""
    clicks: Mapping[str, ClickScores]
    """By method."""
    shares: Mapping[str, SharesIou]
    """By model or control."""


@dataclass(frozen=True, kw_only=True)
class PictureResult:
    """What came of one picture."""

    row: int
    """Which picture of the part."""
    name: str
    """What it is called."""
    objects: tuple[ObjectResult, ...]
    """By ascending number; some may be missing, whose masks turned out to be empty."""
    seconds: Mapping[str, Seconds]
    """By method."""


class ResultsFile:
    """The lines of the pictures that are done.

    Args:
        path: The file.
        methods: What all pictures are put to; pictures in the file that were put to others are done again.
    """

    def __init__(self, path: Path, methods: Sequence[str]) -> None:
        self._path = path
        self._head = {"format": _FORMAT, "version": FORMAT_VERSION, "methods": list(methods)}

    def start(self) -> dict[int, PictureResult]:
        """Read what is done, and leave out of the file what cannot be gone on from: a line that was cut short, say.

        Returns:
            The pictures that are done, by row.
        """
        done = {result.row: result for result in self._read()}
        lines = [json.dumps(self._head), *(json.dumps(_to_json(result), allow_nan=False) for result in done.values())]
        write_atomically(self._path, "\n".join(lines) + "\n")
        return done

    def add(self, results: Iterable[PictureResult]) -> None:
        """Append pictures; when this returns, they are on the disk."""
        lines = [json.dumps(_to_json(result), allow_nan=False) + "\n" for result in results]
        with naming(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> list[PictureResult]:
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        whole = [line for line in lines if line.endswith(b"\n")]
        try:
            if not whole or parse_json(whole[0]) != self._head:
                return []
            return [_from_json(parse_json(line)) for line in whole[1:]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self._path} does not hold results of pictures ({one_line(error)}); delete it"
            ) from error


def _to_json(result: PictureResult) -> dict[str, Any]:
    return {
        "row": result.row,
        "picture": result.name,
        "objects": [
            {
                "number": each.number,
                "clicks": {
                    name: {"iou": scores.iou, "confidence": _to_nulls(scores.confidence)}
                    for name, scores in each.clicks.items()
                },
                "shares": {
                    name: {"hidden": _to_nulls(scores.hidden), "whole": _to_nulls(scores.whole)}
                    for name, scores in each.shares.items()
                },
            }
            for each in result.objects
        ],
        "seconds": {name: _to_nulls(each) for name, each in result.seconds.items()},
    }


def _from_json(saved: dict[str, Any]) -> PictureResult:
    return PictureResult(
        row=_count(saved["row"]),
        name=_text(saved["picture"]),
        objects=tuple(
            ObjectResult(
                number=_count(each["number"]),
                clicks={
                    name: ClickScores(_shares(scores["iou"]), _shares(scores["confidence"], may_be_null=True))
                    for name, scores in each["clicks"].items()
                },
                shares={
                    name: SharesIou(*(_shares(scores[part], may_be_null=True) for part in SharesIou._fields))
                    for name, scores in each["shares"].items()
                },
            )
            for each in saved["objects"]
        ),
        seconds={
            name: Seconds(*_numbers(seconds, most=1e12, may_be_null=True)) for name, seconds in saved["seconds"].items()
        },
    )


def _to_nulls(values: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


def _shares(values: Any, *, may_be_null: bool = False) -> tuple[float, ...]:
    return _numbers(values, most=1, may_be_null=may_be_null)


def _numbers(values: Any, *, most: float, may_be_null: bool) -> tuple[float, ...]:
    """Numbers from 0 on, NaN for null."""
    for value in values:
        is_number = isinstance(value, int | float) and 0 <= value <= most
        if not is_number and not (value is None and may_be_null):
            raise ValueError(f"a number is {quoted(value)}")
    return tuple(math.nan if value is None else float(value) for value in values)


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"a number is {quoted(value)}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name is {quoted(value)}")
    return value
