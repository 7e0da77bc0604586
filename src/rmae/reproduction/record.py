"""The file that a table leaves when it was run: what is in it, and how it is read and written."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from rmae.files import to_json, write_atomically

FORMAT, FORMAT_VERSION = "reproduced table", 1
"""What a file says it is; a file that says otherwise is not read."""

_LARGEST_COUNT = 10**15
_LARGEST_SCORE = 1e6
_LARGEST_AMOUNT = 1e12  # of multiply-adds in 1e9, and of seconds
_LINE_WIDTH = 120

Machine = Mapping[str, str | int | float | Mapping[str, str | None] | None]
"""What `rmae.bench.machine.describe_machine` tells."""
_Scores = Mapping[str, tuple[float | None, ...] | None]


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The pictures. Raises a ValueError for what cannot be."""

    description: str
    """What they are, and their size, in one line."""
    train: int
    """Pictures to pre-train on."""
    labelled: int
    """Pictures with labels, to train downstream tasks on."""
    val: int
    """Pictures to validate on."""
    classes: int
    """Kinds of objects."""

    def __post_init__(self) -> None:
        """Raise a ValueError for what cannot be."""
        _check_line("description", self.description)
        for name in ("train", "labelled", "val", "classes"):
            _check_count(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class ArmRecord:
    """What came of one encoder. Raises a ValueError for what cannot be."""

    name: str
    """Letters, digits and underscores."""
    label: str
    """What people call it, in one line."""
    flags: str
    """What it does otherwise than the others, as flags of `rmae pretrain`; "" = nothing."""
    parameters: int | None
    """Of the whole model that is pre-trained; None where nothing is."""
    gmacs: float | None
    """Multiply-adds of a forward pass in pre-training, in 1e9, of one image; None where there is none."""
    scores: Mapping[str, tuple[float | None, ...] | None]
    """By `task.score`, one value a seed in the order of the seeds, None (or NaN, written as null) where a seed's is not
    defined; None instead of them where there is no such task for this encoder."""

    def __post_init__(self) -> None:
        """Raise a ValueError for what cannot be."""
        _check_word("name", self.name)
        _check_line("label", self.label)
        _check_line("flags", self.flags, may_be_empty=True)
        if self.parameters is not None:
            _check_count("parameters", self.parameters)
        if self.gmacs is not None:
            _check_amount("gmacs", self.gmacs)
        _check_values(self.name, self.scores)


@dataclass(frozen=True, kw_only=True)
class BaselineRecord:
    """What was reached without an encoder. Raises a ValueError for what cannot be."""

    label: str
    """What people call it, in one line."""
    scores: Mapping[str, tuple[float | None, ...]]
    """As those of `ArmRecord`."""

    def __post_init__(self) -> None:
        """Raise a ValueError for what cannot be."""
        _check_line("label", self.label)
        _check_values(self.label, self.scores)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A table that was run on a budget. Raises a ValueError for what cannot be."""

    table: str
    """Its letter."""
    budget: str
    """The budget's name: letters, digits and underscores."""
    command: str
    """What makes it again, in one line: `rmae reproduce` and its flags."""
    data: DataRecord
    seeds: tuple[int, ...]
    """At least one, each once."""
    tasks: Mapping[str, tuple[str, ...]]
    """Scores of each task, in the order in which they are told."""
    arms: tuple[ArmRecord, ...]
    """At least one, each name once, in the order in which they are told."""
    baselines: tuple[BaselineRecord, ...] = ()
    """In the order in which they are told."""
    machine: Machine
    """On which the scores were put together."""
    commits: tuple[str, ...]
    """Of the source that the pieces were made with, a plus behind one that was changed since; none where the source
    was in no repository."""
    seconds: Mapping[str, float]
    """What each piece of the work took, by its name, for instance `pretrain/mae/seed_0`."""

    def __post_init__(self) -> None:
        """Raise a ValueError for what cannot be."""
        _check_word("table", self.table)
        _check_word("budget", self.budget)
        _check_line("command", self.command)
        if not self.command.startswith("rmae "):
            raise ValueError(f"command is {self.command!r}; it must begin with 'rmae '")
        _check_distinct("seeds", self.seeds)
        _check_distinct("arms", [arm.name for arm in self.arms])
        for seed in self.seeds:
            _check_count("a seed", seed)
        for score in self.scores:
            if not re.fullmatch(r"\w+\.[\w.]+", score, re.ASCII):
                raise ValueError(f"a score is called {score!r}; use letters, digits and underscores")
        for commit in self.commits:
            _check_line("a commit", commit)
        for arm in self.arms:
            self._check_scores(arm.name, arm.scores)
        for baseline in self.baselines:
            self._check_scores(baseline.label, baseline.scores)
        for piece, seconds in self.seconds.items():
            _check_amount(f"seconds of {piece}", seconds)

    @property
    def name(self) -> str:
        """Table and budget, as in `a-tiny`: what its file is called, without the ending."""
        return f"{self.table}-{self.budget}"

    @property
    def scores(self) -> tuple[str, ...]:
        """All scores as `task.score`, in the order in which they are told."""
        return tuple(f"{task}.{name}" for task, names in self.tasks.items() for name in names)

    def values(self, arm: str, score: str) -> tuple[float, ...]:
        """What the seeds gave of a score, without those of which it is not defined; none where there is no such arm."""
        return defined_values(self.values_by_seed(arm, score))

    def values_by_seed(self, arm: str, score: str) -> tuple[float, ...]:
        """The same in the order of the seeds, NaN where the score is not defined."""
        [scores] = [each.scores for each in self.arms if each.name == arm] or [{}]
        return tuple(math.nan if value is None else value for value in scores.get(score) or ())

    def _check_scores(self, of: str, scores: _Scores) -> None:
        for score, values in scores.items():
            if score not in self.scores:
                raise ValueError(f"{of} has the score {score}, which is none of the tasks")
            if values is not None and len(values) != len(self.seeds):
                raise ValueError(f"{score} of {of} has {len(values)} value(s) for {len(self.seeds)} seed(s)")


def defined_values(values: Sequence[float | None] | None) -> tuple[float, ...]:
    """What the seeds gave of a score, without those of which it is not defined."""
    return tuple(value for value in values or () if value is not None and not math.isnan(value))


def read_record(path: Path) -> Record:
    """Read what `write_record` wrote.

    Args:
        path: The file.

    Returns:
        The record; what was null is None.

    Raises:
        ValueError: It is of another format or version, or holds something else than it should; the sentence names the
            file and what is wrong.
        OSError: It cannot be read.
    """
    import pydantic_core
    from pydantic import TypeAdapter, ValidationError

    try:
        saved = pydantic_core.from_json(path.read_bytes(), allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise ValueError(f"{path} is no {FORMAT} (its format is not {FORMAT!r}); `rmae reproduce` makes them")
    version = saved.get("version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        told = version if type(version) is int and abs(version) < _LARGEST_COUNT else "unknown"
        raise ValueError(f"{path} is of format version {told}; this rmae reads version {FORMAT_VERSION}")
    content = {key: value for key, value in saved.items() if key not in ("format", "version")}
    try:
        return TypeAdapter(Record).validate_json(pydantic_core.to_json(content), strict=True, extra="forbid")
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        told = f"{place}: " * bool(place) + fault["msg"].removeprefix("Value error, ")
        # Names in the file may be long, and of several lines.
        raise ValueError(f"{path} is not a whole {FORMAT}: {shorten(told, 300)}") from None


def write_record(record: Record, path: Path) -> None:
    """Write a record as JSON: the old file or the whole new one at any moment, the same bytes for the same record.

    Args:
        record: What to write; NaN becomes null.
        path: File to write or to replace.
    """
    from pydantic import TypeAdapter

    content = TypeAdapter(Record).dump_python(record, mode="json")
    text = to_json({"format": FORMAT, "version": FORMAT_VERSION, **content})
    write_atomically(path, re.sub(r"(?m)^.*\[\n[^\[\]{}]*\]", _on_one_line, text) + "\n")


def read_records(folder: Path) -> tuple[Record, ...]:
    """Read all records of a folder.

    Args:
        folder: Has a JSON file for each record, called after its table and budget, as in `a-tiny.json`; JSON files of
            other kinds are not allowed in it.

    Returns:
        By budget, then by table, both in the order of the alphabet.

    Raises:
        ValueError: A file is no whole record, or is called otherwise.
    """
    records = []
    for path in sorted(folder.glob("*.json")):
        record = read_record(path)
        if path.stem != record.name:
            raise ValueError(
                f"{path} holds table {record.table} on the budget {record.budget}; call it {record.name}.json"
            )
        records.append(record)
    return tuple(sorted(records, key=lambda record: (record.budget, record.table)))


def _on_one_line(found: re.Match[str]) -> str:
    """A list that is short enough, on one line."""
    line = re.sub(r"\s+(?=\])|(?<=\[)\s+", "", re.sub(r"\n\s+", " ", found[0]))
    indent = re.match(r" *", found[0])
    line = (indent[0] if indent else "") + line.lstrip()
    return line if len(line) <= _LINE_WIDTH else found[0]


def _check_values(of: str, scores: _Scores) -> None:
    for score, values in scores.items():
        for value in values or ():
            if value is not None and abs(value) > _LARGEST_SCORE:
                raise ValueError(f"{score} of {of} is {value}; it must lie within {_LARGEST_SCORE:g} of 0")


def _check_word(name: str, value: str) -> None:
    # Files and anchors are called after it.
    if not re.fullmatch(r"\w{1,60}", value, re.ASCII):
        raise ValueError(f"{name} is {value!r}; use up to 60 letters, digits and underscores")


def _check_line(name: str, value: str, *, may_be_empty: bool = False) -> None:
    if not (value or may_be_empty) or not value.isprintable():
        raise ValueError(f"{name} is {value!r}; it must be one line of text")


def _check_count(name: str, value: int) -> None:
    if not 0 <= value <= _LARGEST_COUNT:
        raise ValueError(f"{name} is out of range; it must lie between 0 and {_LARGEST_COUNT:.0e}")


def _check_amount(name: str, value: float) -> None:
    if not 0 <= value <= _LARGEST_AMOUNT:  # NaN neither
        raise ValueError(f"{name} is {value}; it must lie between 0 and {_LARGEST_AMOUNT:g}")


def _check_distinct(name: str, values: Sequence[str | int]) -> None:
    if not values:
        raise ValueError(f"{name} is empty; there must be at least one")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} has one twice; each may be there once")
