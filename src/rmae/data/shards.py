"""Images packed into a few large files, with their regions beside them.

A shard is a tar in WebDataset's layout: `000000042.jpg`, `000000042.regions` (where there are regions) and
`000000042.json`, one after the other. The index beside the shards says where each image begins, so that any one is read
with one call, in any order.
"""

import io
import os
import resource
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from rmae.data.shard_index import Place, ShardIndex
from rmae.quoting import one_line
from rmae.regions.label_runs import LabelRuns

INDEX = "index.safetensors"
"""Name of the index in the folder of the shards."""

SETTINGS = "rmae-packing.json"
"""Name of the file that says how shards are made, from before the first one to the end."""

_MAX_OPEN = max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)  # shards that a process keeps open


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard is."""
    return folder / f"shard-{number:06d}.tar"


def is_packed(folder: Path) -> bool:
    """Whether a folder holds packed shards.

    Raises:
        ValueError: It does, but they are not all there yet.
    """
    if (folder / INDEX).is_file():
        return True
    if (folder / SETTINGS).is_file():
        raise ValueError(f"the images in {folder} are not all packed yet; go on with the same rmae pack")
    return False


class Shards:
    """Reads packed images and their regions, in any order; it may be handed to other processes.

    Args:
        folder: What `rmae pack` wrote.

    Raises:
        ValueError: The index is damaged or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = ShardIndex.read(folder / INDEX)
        if any(name >= after for name, after in pairwise(self.index.names)):
            raise ValueError(f"{folder / INDEX} is damaged (its names are not sorted, each once); pack anew")
        self._files: dict[int, int] = {}  # descriptors by number of the shard, the one opened first standing first

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, sorted."""
        return self.index.names

    @property
    def region_settings(self) -> dict[str, Any] | None:
        """The source of the regions inside, its kind among its settings; None where there are none."""
        return self.index.header.get("regions")

    def open(self, name: str) -> BinaryIO:
        """Read an encoded image.

        Raises:
            OSError: There is no image of this name, or its shard is missing or cut short.
        """
        place = self._find(name)
        return io.BytesIO(self._read(place.shard, place.image_at, place.image_size))

    def regions(self, name: str) -> LabelRuns:
        """Read the regions of an image.

        Raises:
            ValueError: There are none, or they are damaged.
            OSError: There is no image of this name, or its shard is missing or cut short.
        """
        place = self._find(name)
        if self.region_settings is None:
            raise ValueError(f"the shards in {self.folder} were packed without regions")
        packed = self._read(place.shard, place.regions_at, place.regions_size)
        return LabelRuns.unpack(packed, num_maps=place.num_maps, height=place.height, width=place.width)

    def _find(self, name: str) -> Place:
        number = bisect_left(self.names, name)
        if number == len(self.names) or self.names[number] != name:
            raise FileNotFoundError(f"the shards in {self.folder} have no image {one_line(name)}")
        return self.index.place(number)

    def _read(self, shard: int, start: int, size: int) -> bytes:
        if shard not in self._files:
            if len(self._files) >= _MAX_OPEN:
                os.close(self._files.pop(next(iter(self._files))))
            try:
                self._files[shard] = os.open(shard_path(self.folder, shard), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise OSError(f"{shard_path(self.folder, shard)} is missing; copy it again or pack anew") from None
        file = self._files[shard]
        # Looked at first, since a damaged index may ask for more than there is memory.
        if start + size > os.fstat(file).st_size:
            raise OSError(f"{shard_path(self.folder, shard)} is cut short; copy it again or pack anew")
        # At a place that is given, since processes that were forked share the one at which a file is.
        return os.pread(file, size, start)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def __del__(self) -> None:
        for descriptor in self.__dict__.get("_files", {}).values():
            os.close(descriptor)
