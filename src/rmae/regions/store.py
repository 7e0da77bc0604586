"""The regions of a data set in one file, for any number of readers.

The file is an SQLite database that is never changed once it is in its place (`store_writer.py`), so readers need no
locks and many processes may read it, on network drives too.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from rmae.regions.label_runs import LabelRuns

APPLICATION_ID = 0x726D6165  # "rmae", at a fixed place in the file's header
FORMAT_VERSION = 1
"""Version of the stores written here; another one is refused."""

SUFFIX = ".regions"
"""What the names of stores end in."""


class StoreHeader(NamedTuple):
    """What a store says of itself."""

    source: dict[str, Any]
    """Settings of the source that the regions come from, its kind among them."""
    channels: int
    """Channels in which images were read for the source."""
    root: str
    """Folder of the images when the regions were made."""
    num_images: int
    """Images with stored regions."""
    num_regions: int
    """Regions of all images together."""


class RegionStore:
    """Reads the regions of a data set.

    A store may be handed to other processes, forked or spawned: each opens the file for itself when it first reads.

    Args:
        path: A file that `rmae regions make` wrote.

    Raises:
        ValueError: The file is missing, cut short, no store, or one of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self.header = self._read_header()

    def names(self) -> set[str]:
        """Names of the images whose regions are stored."""
        return {name for (name,) in self._query("SELECT name FROM images")}

    def skipped(self) -> dict[str, str]:
        """Images without regions because they could not be used, and why."""
        return dict(self._query("SELECT name, reason FROM skipped ORDER BY name"))

    def read(self, name: str) -> LabelRuns:
        """Read the regions of an image.

        Args:
            name: Path of the image relative to the image root, as when the store was made.

        Raises:
            ValueError: The store has no regions of this image, or they are damaged.
        """
        found = self._query("SELECT num_maps, height, width, runs FROM images WHERE name = ?", name)
        if not found:
            raise ValueError(self._describe_missing(name))
        num_maps, height, width, packed = found[0]
        try:
            return LabelRuns.unpack(packed, num_maps=num_maps, height=height, width=width)
        except ValueError as error:
            raise ValueError(
                f"the regions of {name} in {self.path} are damaged: {error}; make the store anew"
            ) from error

    def __iter__(self) -> Iterator[tuple[str, LabelRuns]]:
        """Go through all images by name, in order."""
        for name in sorted(self.names()):
            yield name, self.read(name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_process": 0}

    def _query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        if self._connection is None or self._process != os.getpid():
            # A connection that was opened before a fork must not be used after it.
            self._connection, self._process = open_immutable(self.path), os.getpid()
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} is damaged ({error}); make the store anew") from error

    def _describe_missing(self, name: str) -> str:
        reason = self.skipped().get(name)
        if reason is not None:
            return f"{self.path} has no regions of {name}: {reason}"
        example = self._query("SELECT name FROM images LIMIT 1")
        known = f"; it names images like {example[0][0]}" if example else ""
        return f"{self.path} has no regions of {name}{known}: add the image with rmae regions make"

    def _read_header(self) -> StoreHeader:
        if not self.path.is_file():
            raise ValueError(f"there is no region store {self.path}; make one with rmae regions make")
        with closing(open_immutable(self.path)) as connection:
            return read_header(connection, self.path)


def open_immutable(path: Path) -> sqlite3.Connection:
    """Open a database that nobody changes, without locks."""
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def read_header(connection: sqlite3.Connection, path: Path) -> StoreHeader:
    """Read what an open store says of itself.

    Raises:
        ValueError: It is no store, one of another version, or cut short.
    """
    try:
        ((application_id,),) = connection.execute("PRAGMA application_id")
        ((version,),) = connection.execute("PRAGMA user_version")
        if application_id != APPLICATION_ID:
            raise ValueError(f"{path} is no region store but another program's database")
        if version != FORMAT_VERSION:
            raise ValueError(f"{path} is a region store of format version {version}; this rmae reads {FORMAT_VERSION}")
        _refuse_truncated(connection, path)
        ((header,),) = connection.execute("SELECT header FROM header")
        return StoreHeader(**json.loads(header))
    except (sqlite3.DatabaseError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no region store, or a damaged one ({error})") from error


def _refuse_truncated(connection: sqlite3.Connection, path: Path) -> None:
    ((num_pages,),) = connection.execute("PRAGMA page_count")
    ((page_size,),) = connection.execute("PRAGMA page_size")
    # The count is taken from the file's length unless the header knows better, so look where the header has it.
    with path.open("rb") as file:
        file.seek(28)
        num_pages = max(num_pages, int.from_bytes(file.read(4), "big"))
    if path.stat().st_size < num_pages * page_size:
        raise ValueError(
            f"{path} is cut short: it has {path.stat().st_size:,} of {num_pages * page_size:,} bytes; copy it again or "
            "make the store anew"
        )
