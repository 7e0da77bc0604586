"""What stands where in packed shards."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rmae.files import parse_json, write_atomically
from rmae.quoting import one_line, quoted

FORMAT_VERSION = 1
"""Version of the shards written here; another one is refused."""

_METADATA = "rmae"


class Place(NamedTuple):
    """Where an image of the shards and its regions are; sizes of 0 where there are none."""

    shard: int
    """Number of the tar, from 0."""
    image_at: int
    """First byte of the encoded image in the tar."""
    image_size: int
    """Bytes of the encoded image."""
    regions_at: int
    """First byte of the packed label runs in the tar."""
    regions_size: int
    """Bytes of the packed label runs."""
    num_maps: int
    """S, number of label maps."""
    height: int
    """H of the image in pixels."""
    width: int
    """W of the image in pixels."""


_NUMBERS = Place._fields
_SIDES = [_NUMBERS.index("height"), _NUMBERS.index("width")]


class ShardIndex(NamedTuple):
    """The index of one shard, or of all."""

    header: dict[str, Any]
    """How the shards were made."""
    names: tuple[str, ...]
    """Images in the order of the shards, N."""
    places: np.ndarray
    """Shape (N, 8) int64, the fields of `Place`."""
    skipped: tuple[tuple[str, str], ...]
    """Name of each image that could not be used, and why."""

    def place(self, number: int) -> Place:
        """Where image `number` is."""
        return Place(*self.places[number].tolist())

    def write(self, path: Path) -> None:
        """Write the index, whole or not at all."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in self.names]
        tensors = {
            "names": np.frombuffer(b"".join(encoded), dtype=np.uint8),
            "name_ends": np.cumsum([len(name) for name in encoded], dtype=np.int64),
            **{name: np.ascontiguousarray(column) for name, column in zip(_NUMBERS, self.places.T, strict=True)},
        }
        header = {"format": "shards", "version": FORMAT_VERSION, **self.header, "skipped": self.skipped}
        write_atomically(path, save(tensors, {_METADATA: json.dumps(header)}))

    @classmethod
    def read(cls, path: Path) -> "ShardIndex":
        """Read what `write` wrote.

        Raises:
            ValueError: It is damaged, or of another version.
        """
        try:
            with safe_open(path, framework="np") as file:
                header = parse_json((file.metadata() or {})[_METADATA])
                arrays = {name: file.get_tensor(name) for name in ("names", "name_ends", *_NUMBERS)}
            version = header.pop("version")
            if header.pop("format") != "shards":
                raise ValueError("it is of another format")
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} is no index of shards, or a damaged one ({one_line(error)}); pack anew"
            ) from error
        if version != FORMAT_VERSION:
            raise ValueError(
                f"{path} is of shards of format version {quoted(version)}; this rmae reads {FORMAT_VERSION}"
            )
        try:
            skipped = tuple((str(name), str(reason)) for name, reason in header.pop("skipped"))
            places = np.stack([arrays[name] for name in _NUMBERS], axis=1).astype(np.int64, casting="safe")
            names = _split(arrays["names"], arrays["name_ends"])
            if places.shape != (len(names), len(_NUMBERS)):
                raise ValueError("its parts do not belong together")
            if (places < 0).any() or (places[:, _SIDES] < 1).any():
                raise ValueError("it has a place or a size that cannot be")
            if not isinstance(header.get("regions"), dict | None):
                raise ValueError("it does not say which regions there are")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({one_line(error)}); pack anew") from error
        return cls(header, names, places, skipped)


def _split(joined: np.ndarray, ends: np.ndarray) -> tuple[str, ...]:
    data, ends = joined.astype(np.uint8, casting="safe").tobytes(), ends.tolist()
    starts = [0, *ends][:-1]
    if [*starts, len(data)] != sorted([0, *ends]):
        raise ValueError("its names do not end where they should")
    return tuple(data[a:b].decode("utf-8", "surrogateescape") for a, b in zip(starts, ends, strict=False))


def join_indices(parts: Sequence[ShardIndex]) -> ShardIndex:
    """One index of all shards, sorted by name; the parts are of the same header."""
    names = [name for part in parts for name in part.names]
    places = np.concatenate([np.empty((0, len(_NUMBERS)), dtype=np.int64), *(part.places for part in parts)])
    order = sorted(range(len(names)), key=names.__getitem__)
    return ShardIndex(
        parts[0].header,
        tuple(names[i] for i in order),
        places[order],
        tuple(skipped for part in parts for skipped in part.skipped),
    )
