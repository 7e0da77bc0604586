"""The regions of a data set in one file, for any number of readers.

The file is an SQLite database that is never changed once it is in its place (`store_writer.py`), so readers need no
locks and many processes may read it, on network drives too.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from rmae.files import parse_json
from rmae.quoting import one_line
from rmae.regions.label_runs import LabelRuns

APPLICATION_ID = 0x726D6165  # "rmae", at a fixed place in the file's header
FORMAT_VERSION = 2
"""Version of the stores written here; another one is refused."""

SUFFIX = ".regions"
"""What the names of stores end in."""

TABLES = (
    "CREATE TABLE header (header TEXT NOT NULL)",
    """CREATE TABLE images (
    name TEXT NOT NULL UNIQUE, num_maps INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    num_regions INTEGER NOT NULL, runs BLOB NOT NULL
)""",
    "CREATE TABLE skipped (name TEXT NOT NULL UNIQUE, reason TEXT NOT NULL)",
)
"""All that a store consists of."""

_OF_IMAGE = """
SELECT name, num_maps, height, width, runs FROM images
WHERE rowid = (SELECT rowid FROM images WHERE name = CAST(? AS TEXT))
"""  # with the name that stands beside the regions: that of a damaged index may lead elsewhere


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
        names = {name for (name,) in self._query("SELECT name FROM images")}
        if not all(isinstance(name, str) for name in names):
            raise ValueError(_describe_damage(self.path, "a name is no text"))
        return names

    def skipped(self) -> dict[str, str]:
        """Images without regions because they could not be used, and why."""
        skipped = dict(self._query("SELECT name, reason FROM skipped ORDER BY name"))
        if not all(isinstance(text, str) for pair in skipped.items() for text in pair):
            raise ValueError(_describe_damage(self.path, "a name or a reason is no text"))
        return skipped

    def read(self, name: str, *, image_hw: tuple[int, ...] | None = None) -> LabelRuns:
        """Read the regions of an image.

        Args:
            name: Path of the image relative to the image root, as when the store was made.
            image_hw: H and W of the image, which the regions must have; None = any.

        Raises:
            ValueError: The store has no regions of this image, or of another size, or they are damaged.
        """
        rows = self._query(_OF_IMAGE, name)
        if not rows:
            raise ValueError(self._describe_missing(name))
        match rows[0]:
            case (found, int(num_maps), int(height), int(width), bytes(packed)) if found == name:
                pass
            case _:
                raise ValueError(self._describe_damaged(name, "something else stands in their place"))
        if image_hw is not None and (height, width) != image_hw:  # before they take any memory
            raise ValueError(
                f"{self.path} has regions of {one_line(name)} at {height} x {width} pixels, but the image has "
                f"{image_hw[0]} x {image_hw[1]}; delete the store and make it anew"
            )
        try:
            return LabelRuns.unpack(packed, num_maps=num_maps, height=height, width=width)
        except ValueError as error:
            raise ValueError(self._describe_damaged(name, error)) from error

    def __iter__(self) -> Iterator[tuple[str, LabelRuns]]:
        """Go through all images by name, in order."""
        for name in sorted(self.names()):
            yield name, self.read(name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_process": 0}

    def _query(self, statement: str, *names: str) -> list[tuple[Any, ...]]:
        if self._connection is None or self._process != os.getpid():
            # After a fork a connection must not be used. To close it, as happens here, does no harm: it has no locks.
            self._connection, self._process = _open(self.path), os.getpid()
            self._connection.text_factory = decode_text
        with _damage_explained(self.path):
            return self._connection.execute(statement, [encode_name(name) for name in names]).fetchall()

    def _describe_missing(self, name: str) -> str:
        reason = self.skipped().get(name)
        if reason is not None:
            return f"{self.path} has no regions of {one_line(name)}: {one_line(reason)}"
        example = self._query("SELECT name FROM images LIMIT 1")
        known = f"; it names images like {one_line(example[0][0])}" if example else ""
        return f"{self.path} has no regions of {one_line(name)}{known}: add the image with rmae regions make"

    def _describe_damaged(self, name: str, fault: object) -> str:
        return f"the regions of {one_line(name)} in {self.path} are damaged: {fault}; make the store anew"

    def _read_header(self) -> StoreHeader:
        with closing(_open(self.path)) as connection:
            return read_header(connection, self.path)


def encode_name(name: str) -> bytes:
    """What a store holds of an image's name, to be bound as `CAST(? AS TEXT)`.

    Names from old archives may not be UTF-8; Python holds such bytes as surrogates, which SQLite takes in no text.
    """
    return name.encode("utf-8", "surrogateescape")


def decode_text(stored: bytes) -> str:
    """Read what a store holds of a name, or of any text."""
    return stored.decode("utf-8", "surrogateescape")


def immutable_uri(path: Path) -> str:
    """Name a database that nobody changes, so that it is opened without locks."""
    return f"file:{quote(os.fsencode(path.resolve()))}?mode=ro&immutable=1"


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise ValueError(f"there is no region store {path}; make one with rmae regions make")
    try:
        return sqlite3.connect(immutable_uri(path), uri=True, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise OSError(f"{path} cannot be read ({error})") from error


def read_header(connection: sqlite3.Connection, path: Path) -> StoreHeader:
    """Read what an open store says of itself.

    Raises:
        ValueError: It is no store, one of another version, or cut short.
    """
    _refuse_truncated(path)
    with _damage_explained(path):
        ((application_id,),) = connection.execute("PRAGMA application_id")
        ((version,),) = connection.execute("PRAGMA user_version")
    if application_id != APPLICATION_ID:
        raise ValueError(f"{path} is no region store: it is empty, or another program's database")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} is a region store of format version {version}; this rmae reads {FORMAT_VERSION}: delete it and "
            "make it anew"
        )
    with _damage_explained(path):
        _refuse_other_tables(connection, path)
        rows = connection.execute("SELECT header FROM header").fetchall()
    try:
        return _parse_header(*rows[0])
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(_describe_damage(path, f"its header: {error}")) from error


def _parse_header(text: str) -> StoreHeader:
    header = StoreHeader(**parse_json(text))
    kinds = (dict, int, str, int, int)
    if not all(isinstance(value, kind) for value, kind in zip(header, kinds, strict=True)):
        raise TypeError("a value of the wrong kind")
    if header.channels < 1 or header.num_images < 0 or header.num_regions < 0:
        raise ValueError("a number that cannot be")
    return header


def _refuse_other_tables(connection: sqlite3.Connection, path: Path) -> None:
    """A database can hold programs instead of tables: views that never end, columns that are computed."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    if [sql for (sql,) in found] != list(TABLES):
        raise ValueError(_describe_damage(path, "it holds other tables"))


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of what SQLite says, of a damaged name
        raise ValueError(_describe_damage(path, str(error))) from error


def _describe_damage(path: Path, what: str) -> str:
    return f"{path} is no region store, or a damaged one ({one_line(what)}); make the store anew"


def _refuse_truncated(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(100)
    if start[68:72] != APPLICATION_ID.to_bytes(4, "big"):
        return  # whatever it is, it is refused later
    size, wanted = path.stat().st_size, int.from_bytes(start[16:18], "big") * int.from_bytes(start[28:32], "big")
    if size < wanted:
        raise ValueError(
            f"{path} is cut short: it has {size:,} of {wanted:,} bytes; copy it again or make the store anew"
        )
