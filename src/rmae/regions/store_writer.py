"""Writing region stores: resumable after any kill, and in their place only when they are whole."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from rmae.regions.label_runs import LabelRuns
from rmae.regions.store import APPLICATION_ID, FORMAT_VERSION, RegionStore, StoreHeader, read_header

_SECONDS_BETWEEN_COMMITS = 0.5
_PAGE_SIZE = 2048  # bytes; larger pages waste half of one for each image

_TABLES = """
CREATE TABLE header (header TEXT NOT NULL);
CREATE TABLE images (
    name TEXT NOT NULL UNIQUE, num_maps INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    num_regions INTEGER NOT NULL, runs BLOB NOT NULL
);
CREATE TABLE skipped (name TEXT NOT NULL UNIQUE, reason TEXT NOT NULL);
"""


class StoreBusyError(OSError):
    """Another process is writing the store."""


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

    A partial file of an earlier, killed writer is gone on with; an existing store is added to in a copy. What was added
    is on disk after half a second, and whole whatever happens. There is one writer at a time.

    Args:
        path: Where the store shall be.
        header: What it shall say of itself; its counts are made when it is finished.

    Raises:
        ValueError: There are regions of another source already.
        StoreBusyError: Another process writes this store.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path, header: StoreHeader) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._wanted = header
        self._connection = self._open()
        self._last_commit = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep what was added so far, to be gone on with later."""
        self.close()

    def close(self) -> None:
        """Write what was added so far; nothing can be added after."""
        try:
            self._connection.commit()
        except sqlite3.ProgrammingError:
            pass  # it was finished, and is closed
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.partial} cannot be written ({error})") from error
        finally:
            self._connection.close()

    def discard(self) -> None:
        """Delete what was added so far."""
        self.close()
        self.partial.unlink()

    def names(self) -> set[str]:
        """Names of the images added so far, those of earlier writers too."""
        return {name for (name,) in self._connection.execute("SELECT name FROM images")}

    def skipped(self) -> dict[str, str]:
        """Images that cannot be used, and why."""
        return dict(self._connection.execute("SELECT name, reason FROM skipped ORDER BY name"))

    def add(self, regions: PackedRegions) -> None:
        """Add the regions of an image, or replace them."""
        self._execute("DELETE FROM skipped WHERE name = ?", (regions.name,))
        self._execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)", regions)
        self._commit_sometimes()

    def skip(self, name: str, reason: str) -> None:
        """Note that an image cannot be used."""
        self._execute("INSERT OR REPLACE INTO skipped VALUES (?, ?)", (name, reason))
        self._commit_sometimes()

    def add_store(self, store: RegionStore) -> None:
        """Add all images of another store, those it skipped too."""
        self._commit()
        self._execute("ATTACH DATABASE ? AS other", (str(store.path),))
        self._execute("INSERT OR REPLACE INTO images SELECT * FROM other.images ORDER BY name")
        self._execute("INSERT OR REPLACE INTO skipped SELECT * FROM other.skipped")
        self._commit()
        self._execute("DETACH DATABASE other")

    def finish(self) -> RegionStore:
        """Put the store in its place."""
        totals = self._execute("SELECT COUNT(*), COALESCE(SUM(num_regions), 0) FROM images").fetchone()
        header = self._wanted._replace(num_images=totals[0], num_regions=totals[1])
        self._execute("UPDATE header SET header = ?", (json.dumps(header._asdict()),))
        self.close()
        self.partial.rename(self.path)
        _sync_folder(self.path.parent)
        return RegionStore(self.path)

    def _execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.partial} cannot be written ({error})") from error

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.partial} cannot be written ({error})") from error
        self._last_commit = time.monotonic()

    def _commit_sometimes(self) -> None:
        if time.monotonic() - self._last_commit >= _SECONDS_BETWEEN_COMMITS:
            self._commit()

    def _open(self) -> sqlite3.Connection:
        if not self.partial.exists() and self.path.exists():
            refuse_other_regions(RegionStore(self.path).header, self._wanted, self.path)
            copy = self.partial.with_name(f"{self.partial.name}.copy")
            shutil.copyfile(self.path, copy)
            copy.rename(self.partial)
        connection = sqlite3.connect(self.partial, timeout=0)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # from the first transaction until it is closed
            connection.execute("BEGIN EXCLUSIVE")
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
                _create_tables(connection, self._wanted)
            connection.commit()
            refuse_other_regions(read_header(connection, self.partial), self._wanted, self.partial)
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" in str(error):
                raise StoreBusyError(f"another process is writing {self.path}; wait until it is done") from error
            raise OSError(f"{self.partial} cannot be written ({error})") from error
        except (sqlite3.DatabaseError, ValueError) as error:
            connection.close()
            raise ValueError(f"{error} (what an earlier, unfinished call left; delete it to begin anew)") from error
        return connection


def _create_tables(connection: sqlite3.Connection, header: StoreHeader) -> None:
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO header VALUES (?)", (json.dumps(header._asdict()),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def refuse_other_regions(found: StoreHeader, wanted: StoreHeader, path: Path) -> None:
    """Raise a ValueError where a store's regions are not those that are wanted."""
    for what, was, shall_be in (
        ("source", found.source, wanted.source),
        ("number of channels", found.channels, wanted.channels),
    ):
        if was != shall_be:
            raise ValueError(f"{path} was made with the {what} {was}, not {shall_be}; choose another file")


def _sync_folder(folder: Path) -> None:
    """Make a renaming survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
