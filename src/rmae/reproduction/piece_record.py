"""What is known of a piece from one start to the next."""

import json
from pathlib import Path
from typing import NamedTuple

from rmae.files import write_atomically

FORMAT_VERSION = 1
"""Version of the records written here; another one is refused."""
_FORMAT = "piece"
_FOLDER = "records"


class PieceRecord(NamedTuple):
    """One piece in a workspace; there is none of a piece that was never begun."""

    arguments: tuple[str, ...]
    """With which it was begun."""
    seconds: float
    """How long it has run, over all its starts."""
    finished: bool
    """Whether its command has ended well."""


def record_file(workspace: Path, name: str) -> Path:
    """Where the record of a piece stands."""
    return workspace / _FOLDER / f"{name}.json"


def write_record(workspace: Path, name: str, record: PieceRecord) -> None:
    """Write the record of a piece, whole at any moment."""
    file = record_file(workspace, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    saved = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "arguments": list(record.arguments),
        "seconds": round(record.seconds, 2),
        "finished": record.finished,
    }
    write_atomically(file, json.dumps(saved, indent=2) + "\n")


def read_record(workspace: Path, name: str) -> PieceRecord | None:
    """Read the record of a piece; None where there is none.

    Raises:
        ValueError: The file holds none, or one of another version.
    """
    file = record_file(workspace, name)
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        if saved["format"] != _FORMAT:
            raise ValueError(f"it is a {saved['format']}")
        version = saved["version"]
        if version == FORMAT_VERSION:
            return PieceRecord(tuple(map(str, saved["arguments"])), float(saved["seconds"]), bool(saved["finished"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} does not describe a piece ({error}); choose another folder (--out), or delete {workspace}"
        ) from error
    raise ValueError(f"{file} is of format version {version}; this rmae reads version {FORMAT_VERSION}")
