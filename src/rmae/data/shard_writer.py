"""Writing one shard: gone on with after any kill, and in its place only when it is whole."""

import json
import os
import tarfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from rmae.data.shard_index import Place, ShardIndex
from rmae.data.shards import shard_path
from rmae.data.skips import Skipped
from rmae.files import flush, naming, parse_json
from rmae.regions.store_lock import StoreBusyError, StoreLock

_BLOCK = tarfile.BLOCKSIZE
_IMAGES_BETWEEN_FLUSHES = 256
_TOO_MANY = 2**31  # pixels a side, or maps; no image has as many


class PackedImage(NamedTuple):
    """An image as a shard holds it."""

    number: int
    """Which image of the data set it is; the name of its members."""
    name: str
    """Its name in the data set."""
    image: bytes
    """The encoded image."""
    suffix: str
    """Its format."""
    height: int
    width: int
    regions: bytes | None
    """Its packed label runs, None where regions are not packed."""
    num_maps: int
    """S, number of label maps."""


class ShardWriter:
    """Writes one shard: images are added to `NAME.partial`, which takes the shard's place when it is finished.

    What a killed writer left is gone on with, from the last image that is whole. Its index stands beside the shard
    until all shards are there.

    Args:
        folder: Folder of the shards.
        shard: Number of the shard.
        header: How the shards are made, for the index.

    Raises:
        StoreBusyError: Another process writes this shard.
        OSError: The file cannot be written.
    """

    def __init__(self, folder: Path, shard: int, header: dict[str, Any]) -> None:
        self._path = shard_path(folder, shard)
        self._partial = self._path.with_name(f"{self._path.name}.partial")
        self._shard, self._header = shard, header
        self._names: list[str] = []
        self._places: list[Place] = []
        self._skipped: list[tuple[str, str]] = []
        with ExitStack() as stack:
            stack.callback(_lock(self._path).release)
            self._file = stack.enter_context(self._partial.open("r+b" if self._partial.exists() else "w+b"))
            self._file.truncate(self._recover())
            self._file.seek(0, os.SEEK_END)
            self._opened = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep what was added so far, to be gone on with later, and let others write."""
        with naming(self._partial):
            self._opened.close()

    @property
    def names(self) -> frozenset[str]:
        """Names of the images added so far, those of a killed writer too."""
        return frozenset(self._names)

    def add(self, packed: PackedImage) -> None:
        """Add an image.

        Raises:
            OSError: The file cannot be written.
        """
        with naming(self._partial):
            self._add(packed)

    def _add(self, packed: PackedImage) -> None:
        start = self._file.tell()
        image_at = self._add_member(f"{packed.number:09d}.{packed.suffix}", packed.image)
        regions = packed.regions or b""
        regions_at = self._add_member(f"{packed.number:09d}.regions", regions) if packed.regions is not None else start
        numbers = (image_at, len(packed.image), regions_at, len(regions), packed.num_maps, packed.height, packed.width)
        place = Place(self._shard, *numbers)
        facts = {
            "name": packed.name,
            "height": packed.height,
            "width": packed.width,
            "num_maps": packed.num_maps,
        }
        checked = json.dumps({**facts, "crc32": _checksum(packed.image, regions, facts)})
        self._add_member(f"{packed.number:09d}.json", checked.encode())  # last: an image that has it is whole
        self._remember(packed.name, place)
        if len(self._names) % _IMAGES_BETWEEN_FLUSHES == 0:
            self._flush()

    def skip(self, skipped: Skipped) -> None:
        """Note that an image cannot be used."""
        self._skipped.append((skipped.name, skipped.reason))

    def finish(self) -> None:
        """Write the shard's index and put the shard in its place; nothing can be added after.

        Raises:
            OSError: They cannot be written.
        """
        with naming(self._partial):
            self._file.write(bytes(2 * _BLOCK))  # the end of a tar
            self._flush()
            self._file.close()
        places = np.array(self._places, dtype=np.int64).reshape(-1, len(Place._fields))
        part = ShardIndex(self._header, tuple(self._names), places, tuple(self._skipped))
        part.write(part_path(self._path))
        self._partial.rename(self._path)
        flush(self._path.parent)

    def _add_member(self, name: str, content: bytes) -> int:
        """Add a file to the tar; returns where its content begins."""
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._file.write(member.tobuf(tarfile.USTAR_FORMAT))
        start = self._file.tell()
        self._file.write(content + bytes(-len(content) % _BLOCK))
        return start

    def _remember(self, name: str, place: Place) -> None:
        self._names.append(name)
        self._places.append(place)

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _recover(self) -> int:
        """Read what a killed writer left; returns where its last whole image ends."""
        end = 0
        members: dict[str, tarfile.TarInfo] = {}
        try:
            with tarfile.open(fileobj=self._file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    members[member.name.rpartition(".")[2]] = member
                    if member.name.endswith(".json"):
                        self._recover_image(members)
                        end = member.offset_data + member.size + -member.size % _BLOCK
                        members = {}
        except (tarfile.TarError, ValueError, KeyError):
            pass  # from here on it is torn; what was read before stands
        return end

    def _recover_image(self, members: dict[str, tarfile.TarInfo]) -> None:
        """Remember an image, unless what is on the disk is not what was written: that is a ValueError."""
        facts = parse_json(self._content(members.pop("json")))
        match facts:
            case {"name": str(), "height": int(height), "width": int(width), "num_maps": int(num_maps)} if (
                min(height, width) >= 1 and num_maps >= 0 and max(height, width, num_maps) < _TOO_MANY
            ):
                pass
            case _:
                raise ValueError("an image is not described as a writer does")
        regions = members.pop("regions", None)
        (image,) = members.values()
        packed = b"" if regions is None else self._content(regions)
        if facts.pop("crc32") != _checksum(self._content(image), packed, facts):
            raise ValueError("the checksum of an image is wrong")
        regions_at, regions_size = (image.offset, 0) if regions is None else (regions.offset_data, regions.size)
        sizes = (image.offset_data, image.size, regions_at, regions_size)
        place = Place(self._shard, *sizes, facts["num_maps"], facts["height"], facts["width"])
        facts["name"].encode("utf-8", "surrogateescape")  # an index must be able to hold it
        self._remember(facts["name"], place)

    def _content(self, member: tarfile.TarInfo) -> bytes:
        position = self._file.tell()
        self._file.seek(member.offset_data)
        content = self._file.read(member.size)
        self._file.seek(position)
        return content


def _checksum(image: bytes, regions: bytes, facts: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(facts).encode(), zlib.crc32(regions, zlib.crc32(image)))


def _lock(shard: Path) -> StoreLock:
    try:
        return StoreLock(lock_path(shard))
    except StoreBusyError as error:
        raise StoreBusyError(f"another process is writing {shard}; wait until it is done") from error


def lock_path(shard: Path) -> Path:
    """A file that is there while a shard is written."""
    return shard.with_suffix(".lock")


def part_path(shard: Path) -> Path:
    """Where the index of one shard stands until all are there."""
    return shard.with_suffix(".index")


def read_part(folder: Path, shard: int) -> ShardIndex | None:
    """The index of a finished shard; None if it is not finished."""
    path = shard_path(folder, shard)
    return ShardIndex.read(part_path(path)) if path.exists() and part_path(path).exists() else None
