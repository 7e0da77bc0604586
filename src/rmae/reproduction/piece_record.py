"""What is known of a piece from one start to the next."""

from pathlib import Path
from typing import NamedTuple

from rmae.files import read_json, write_json
from rmae.quoting import one_line, quoted

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
    commits: tuple[str, ...] = ()
    """Of the source, over the starts that made what is there, each once; none where the source is in no repository."""


def record_file(workspace: Path, name: str) -> Path:
    """Where the record of a piece stands."""
    return workspace / _FOLDER / f"{name}.json"


def write_piece_record(workspace: Path, name: str, record: PieceRecord) -> None:
    """Write the record of a piece, whole at any moment."""
    file = record_file(workspace, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    saved = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "arguments": list(record.arguments),
        "seconds": round(record.seconds, 2),
        "finished": record.finished,
        "commits": list(record.commits),
    }
    write_json(file, saved)


def read_piece_record(workspace: Path, name: str) -> PieceRecord | None:
    """Read the record of a piece; None where there is none.

    Raises:
        ValueError: The file holds none, or one of another version.
    """
    file = record_file(workspace, name)
    try:
        saved = read_json(file)
        if saved["format"] != _FORMAT:
            raise ValueError(f"it is a {one_line(saved['format'], longest=60)}")
        version = saved["version"]
        if version == FORMAT_VERSION:
            return PieceRecord(
                tuple(map(str, saved["arguments"])),
                float(saved["seconds"]),
                bool(saved["finished"]),
                tuple(map(str, saved["commits"])),
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{file} does not describe a piece ({one_line(error)}); choose another folder (--out), or delete "
            f"{workspace}"
        ) from error
    raise ValueError(f"{file} is of format version {quoted(version)}; this rmae reads version {FORMAT_VERSION}")
