"""Writing region stores: resumable after any kill, and in their place only when they are whole."""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from rmae.files import flush
from rmae.quoting import one_line
from rmae.regions.label_runs import LabelRuns
from rmae.regions.store import (
    APPLICATION_ID,
    FORMAT_VERSION,
    TABLES,
    RegionStore,
    StoreHeader,
    decode_text,
    encode_name,
    immutable_uri,
    read_header,
)
from rmae.regions.store_lock import StoreBusyError, StoreLock

_SECONDS_BETWEEN_COMMITS = 0.5
_PAGE_SIZE = 2048  # bytes; larger pages waste half of one for each image

_COPY = """
INSERT INTO images SELECT * FROM other.images WHERE name NOT IN (SELECT name FROM main.images) ORDER BY name;
INSERT OR REPLACE INTO skipped SELECT * FROM other.skipped;
DELETE FROM main.skipped WHERE name IN (SELECT name FROM main.images)
"""


class PackedRegions(NamedTuple):
    """The regions of one image as a store holds them."""

    name: str
    """Path of the image relative to the image root."""
    num_maps: int
    height: int
    width: int
    num_regions: int
    runs: bytes

    @classmethod
    def of(cls, name: str, label_maps: np.ndarray) -> "PackedRegions":
        """Pack label maps, shape (S, H, W) int32."""
        runs = LabelRuns.of(label_maps)
        num_maps, height, width = label_maps.shape
        return cls(name, num_maps, height, width, len(runs.areas()), runs.pack())


class StoreWriter:
    """Writes a store: images are added to `NAME.partial`, which takes the store's place when it is finished.

    A partial file of an earlier, killed writer is gone on with; the images of an existing store are copied into it.
    What was added is whole whatever happens, and on disk after half a second if the writer is used or asked to by then.
    There is one writer at a time.

    Args:
        path: Where the store shall be.
        header: What it shall say of itself; its counts are made when it is finished.

    Raises:
        ValueError: There are regions of another source already, or a damaged file.
        StoreBusyError: Another process writes this store.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path, header: StoreHeader) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._wanted = header
        try:
            lock = StoreLock(path.with_name(f"{path.name}.lock"))
        except StoreBusyError as error:
            raise StoreBusyError(f"another process is writing {path}; wait until it is done") from error
        with ExitStack() as stack:
            stack.callback(lock.release)
            stored = RegionStore(path) if path.exists() else None
            if stored is not None:
                refuse_other_regions(stored.header, header, path)
            self._connection = _open(self.partial, header)
            stack.callback(self._connection.close)
            if stored is not None:
                self.add_store(stored)
            self._opened = stack.pop_all()
        self._last_commit = time.monotonic()
        self._complete = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep what was added so far, to be gone on with later."""
        self.close()

    def close(self) -> None:
        """Put what was added so far on disk and let others write; nothing can be added after."""
        with self._opened:
            if not self._complete:
                self._commit()

    def discard(self) -> None:
        """Delete what was added so far; nothing can be added after."""
        self._connection.close()
        self._complete = True
        self.partial.unlink()

    def names(self) -> set[str]:
        """Names of the images added so far, those of earlier writers too."""
        return {name for (name,) in self._execute("SELECT name FROM images")}

    def skipped(self) -> dict[str, str]:
        """Images that cannot be used, and why."""
        return dict(self._execute("SELECT name, reason FROM skipped ORDER BY name"))

    def add(self, regions: PackedRegions) -> None:
        """Add the regions of an image, or replace them."""
        name = encode_name(regions.name)
        self._execute("DELETE FROM skipped WHERE name = CAST(? AS TEXT)", (name,))
        self._execute("INSERT OR REPLACE INTO images VALUES (CAST(? AS TEXT), ?, ?, ?, ?, ?)", (name, *regions[1:]))
        self.save_if_due()

    def skip(self, name: str, reason: str) -> None:
        """Note that an image cannot be used."""
        values = (encode_name(name), reason.encode("utf-8", "backslashreplace"))
        self._execute("INSERT OR REPLACE INTO skipped VALUES (CAST(? AS TEXT), CAST(? AS TEXT))", values)
        self.save_if_due()

    def add_store(self, store: RegionStore) -> None:
        """Add the images of another store that are lacking here, and those that it skipped.

        Raises:
            ValueError: It has regions of another source.
        """
        refuse_other_regions(store.header, self._wanted, store.path)
        self._commit()
        self._execute("ATTACH DATABASE ? AS other", (immutable_uri(store.path),))
        for statement in _COPY.split(";"):
            self._execute(statement)
        self._commit()
        self._execute("DETACH DATABASE other")

    def save_if_due(self) -> None:
        """Put what was added on disk, unless that was done within the last half second."""
        if time.monotonic() - self._last_commit >= _SECONDS_BETWEEN_COMMITS:
            self._commit()

    def finish(self) -> RegionStore:
        """Put the store in its place; nothing can be added after."""
        ((num_images, num_regions),) = self._execute("SELECT COUNT(*), COALESCE(SUM(num_regions), 0) FROM images")
        header = self._wanted._replace(num_images=num_images, num_regions=num_regions)
        self._execute("UPDATE header SET header = ?", (json.dumps(header._asdict()),))
        self._commit()
        self._connection.close()
        self._complete = True
        self.partial.rename(self.path)
        flush(self.path.parent)
        return RegionStore(self.path)

    def _execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _explained(self.partial):
            return self._connection.execute(statement, values).fetchall()

    def _commit(self) -> None:
        with _explained(self.partial):
            self._connection.commit()
        self._last_commit = time.monotonic()


def _open(partial: Path, header: StoreHeader) -> sqlite3.Connection:
    """Open what an earlier writer left, or make a new file."""
    connection = sqlite3.connect(partial.absolute(), timeout=0, uri=True)
    try:
        with _explained(partial):
            connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # spares making and deleting a file at each commit
            connection.execute("BEGIN EXCLUSIVE")
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
                _create_tables(connection, header)
            connection.commit()
        found = read_header(connection, partial)
        refuse_other_regions(found, header, partial)
    except ValueError as error:
        connection.close()
        raise ValueError(f"{error} (an earlier, unfinished call left it; delete it to begin anew)") from error
    except BaseException:
        connection.close()
        raise
    connection.text_factory = decode_text
    return connection


def _create_tables(connection: sqlite3.Connection, header: StoreHeader) -> None:
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO header VALUES (?)", (json.dumps(header._asdict()),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


@contextmanager
def _explained(partial: Path) -> Iterator[None]:
    """Say which file it is that cannot be written, or that is damaged."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake in a program
        raise
    except sqlite3.OperationalError as error:
        raise OSError(f"{partial} cannot be written ({error})") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"{partial} is no region store, or a damaged one ({one_line(error)})") from error


def refuse_other_regions(found: StoreHeader, wanted: StoreHeader, path: Path) -> None:
    """Raise a ValueError where a store's regions are not those that are wanted."""
    for what, was, shall_be in (
        ("source", found.source, wanted.source),
        ("number of channels", found.channels, wanted.channels),
    ):
        if was != shall_be:
            raise ValueError(
                f"{path} was made with the {what} {one_line(was)}, not {one_line(shall_be)}; choose another file"
            )
