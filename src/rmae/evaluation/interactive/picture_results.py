"""What came of one picture, and how it is kept: a line of JSON each, so that a stopped evaluation goes on."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rmae.evaluation.interactive.visible_shares import SharesIou
from rmae.files import write_atomically

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
        with self._path.open("a", encoding="utf-8") as file:
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
            if not whole or json.loads(whole[0]) != self._head:
                return []
            return [_from_json(json.loads(line)) for line in whole[1:]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self._path} does not hold results of pictures ({error}); delete it") from error


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
        row=saved["row"],
        name=saved["picture"],
        objects=tuple(
            ObjectResult(
                number=each["number"],
                clicks={
                    name: ClickScores(tuple(scores["iou"]), _from_nulls(scores["confidence"]))
                    for name, scores in each["clicks"].items()
                },
                shares={
                    name: SharesIou(_from_nulls(scores["hidden"]), _from_nulls(scores["whole"]))
                    for name, scores in each["shares"].items()
                },
            )
            for each in saved["objects"]
        ),
        seconds={name: Seconds(*_from_nulls(seconds)) for name, seconds in saved["seconds"].items()},
    )


def _to_nulls(values: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


def _from_nulls(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in values)
