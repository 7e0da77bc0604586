"""Readers of images that are packed: shards and Parquet files."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fuzz.byte_damage import damage_bytes
from fuzz.reader import Files, Reader, damaging, files_below, one_of
from fuzz.readers.regions import HEIGHT, WIDTH, check_runs, label_maps
from fuzz.sealed_damage import damage_footer, damage_metadata, damage_safetensors, damage_tar
from fuzz.tree_damage import damage_json
from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage, read_image
from rmae.data.packing import Packing, pack_images
from rmae.data.parquet import ParquetImages
from rmae.data.shard_index import ShardIndex, join_indices
from rmae.data.shard_writer import PackedImage, ShardWriter, read_part
from rmae.data.shards import INDEX, SETTINGS, Shards, is_packed
from rmae.data.skips import Skipped
from rmae.regions.grid import Grid
from rmae.regions.label_runs import LabelRuns

_HEADER: dict[str, Any] = {"quality": 90, "channels": 3, "regions": {"kind": "grid", "rows": 4}}


def _encode(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (value, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def _packed_image(number: int) -> PackedImage:
    regions = LabelRuns.of(label_maps(number)).pack()
    return PackedImage(number, f"b/{number}.jpg", _encode(number), "jpg", HEIGHT, WIDTH, regions, 2)


def _write_shard(folder: Path) -> None:
    with ShardWriter(folder, 0, _HEADER) as writer:
        for number in range(3):
            writer.add(_packed_image(number))
        writer.skip(Skipped("torn.jpg", "it is torn"))
        writer.finish()


def _make_shards(folder: Path) -> list[Files]:
    _write_shard(folder)
    part = read_part(folder, 0)
    assert part is not None
    join_indices([part]).write(folder / INDEX)
    files = files_below(folder)
    return [{name: files[name] for name in (INDEX, "shard-000000.tar")}]


def _check_index(index: ShardIndex) -> None:
    assert index.places.shape == (len(index.names), 8)
    assert index.places.min(initial=0) >= 0
    assert isinstance(index.header, dict)
    assert all(isinstance(text, str) for pair in index.skipped for text in pair)
    for number in range(len(index.names)):
        assert min(index.place(number)[-2:]) >= 1


def _read_shards(folder: Path) -> None:
    assert is_packed(folder)
    shards = Shards(folder)
    _check_index(shards.index)
    assert isinstance(shards.region_settings, dict | None)
    for name in shards.names:
        shards.open(name).read()
        runs = shards.regions(name)
        check_runs(runs, (len(runs.counts), runs.counts.shape[1], runs.width))


_NUM_LEFT = 3  # images in a shard that was not finished


def _make_partial(folder: Path) -> list[Files]:
    with ShardWriter(folder, 0, _HEADER) as writer:
        for number in range(_NUM_LEFT):
            writer.add(_packed_image(number))
    return [{"shard-000000.tar.partial": (folder / "shard-000000.tar.partial").read_bytes()}]


def _read_partial(folder: Path) -> None:
    """Go on with what was left, and read all of it."""
    with ShardWriter(folder, 0, _HEADER) as writer:
        left = writer.names
        writer.add(_packed_image(7))
        writer.finish()
    part = read_part(folder, 0)
    assert part is not None
    assert set(part.names) == {*left, "b/7.jpg"}
    _check_index(part)
    join_indices([part]).write(folder / INDEX)
    shards = Shards(folder)
    for name in shards.names:
        shards.open(name).read()
    assert {path.name for path in folder.iterdir()} == {"shard-000000.tar", "shard-000000.index", INDEX}
    if len(left) < _NUM_LEFT:  # damage is not refused here but cut off, to be packed anew: told so that it is counted
        raise ValueError(f"{_NUM_LEFT - len(left)} images of it were dropped")


def _make_settings(folder: Path) -> list[Files]:
    (folder / "photos").mkdir()
    (folder / "photos" / "a.jpg").write_bytes(_encode(3))
    _pack(folder)
    files = files_below(folder)
    return [{name: files[name] for name in ("photos/a.jpg", f"packed/{SETTINGS}")}]


def _pack(folder: Path) -> None:
    packing = Packing(regions=Grid(), num_workers=0, images_per_shard=2)
    shards = pack_images(ImageSet(folder / "photos", ("a.jpg",)), folder / "packed", packing)
    assert shards is not None
    assert shards.names == ("a.jpg",)


def _make_parquet(folder: Path) -> list[Files]:
    images = [{"bytes": _encode(value), "path": f"{value}.jpg"} for value in range(3)]
    maps = []
    for number in range(3):
        buffer = io.BytesIO()
        Image.fromarray(label_maps(number)[0].astype(np.uint8)).save(buffer, "PNG")
        maps.append({"bytes": buffer.getvalue(), "path": None})
    found = []
    for compression in ("snappy", "zstd", "none"):
        table = pa.table({"image": images, "label": [0, 1, 2], "regions": maps})
        pq.write_table(table, folder / "a.parquet", compression=compression, row_group_size=2)
        found.append({"a.parquet": (folder / "a.parquet").read_bytes()})
    return found


def _read_parquet(folder: Path) -> None:
    shutil.rmtree(folder / "cache", ignore_errors=True)
    images = ParquetImages([folder / "a.parquet"], regions_column="regions", cache_dir=folder / "cache")
    for name in images.names:
        pixels = read_image(images.open(name), channels=3, max_pixels=10_000)
        assert pixels.shape[2] == 3
        runs = images.regions(name)
        check_runs(runs, (len(runs.counts), runs.counts.shape[1], runs.width))


READERS: Sequence[Reader] = (
    Reader(
        "shards",
        _make_shards,
        _read_shards,
        one_of(
            damaging(INDEX, by=damage_safetensors),
            damaging(INDEX, by=damage_metadata),
            damaging("shard-000000.tar", by=damage_bytes),
        ),
        clear=(ValueError, OSError),
    ),
    Reader("shard that was not finished", _make_partial, _read_partial, damaging(by=damage_tar)),
    Reader(
        "packing settings",
        _make_settings,
        _pack,
        damaging(f"packed/{SETTINGS}", by=damage_json),
        named="packed",
    ),
    Reader(
        "Parquet",
        _make_parquet,
        _read_parquet,
        damaging("a.parquet", by=damage_footer),
        clear=(ValueError, FileNotFoundError, UnreadableImage),
        prints_itself=True,  # the log of datasets
    ),
)
