"""Which container for a region store: size, writing and random reading of five, side by side.

pip install lmdb pyarrow && python benchmarks/region_store_containers.py benchmarks/region_store_containers.json
"""

import io
import json
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import lmdb
import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from rmae.bench.machine import describe_machine
from rmae.data.photographs import IN_COLOUR, photographs_folder
from rmae.regions.felzenszwalb import felzenszwalb
from rmae.regions.label_runs import LabelRuns

NUM_IMAGES = 20_000
NUM_READS = 2_000
IMAGES_A_COMMIT = 500
Reader = Callable[[str], bytes]
Container = tuple[Callable[[Path, Iterable[tuple[str, bytes]]], None], Callable[[Path], Reader]]


def packed_regions() -> list[bytes]:
    """Regions of 48 crops of photographs as a store holds them, three scales at 640 x 480."""
    generator = np.random.default_rng(0)
    packed = []
    for name in IN_COLOUR:
        with Image.open(photographs_folder() / name) as photograph:
            for _ in range(6):
                share = generator.uniform(0.5, 1)
                width, height = round(photograph.width * share), round(photograph.height * share)
                left, top = (
                    int(generator.integers(room + 1)) for room in (photograph.width - width, photograph.height - height)
                )
                crop = photograph.crop((left, top, left + width, top + height)).resize((640, 480))
                packed.append(LabelRuns.of(felzenszwalb(np.asarray(crop))).pack())
    return packed


def write_sqlite(page_size: int) -> Callable[[Path, Iterable[tuple[str, bytes]]], None]:
    def write(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("CREATE TABLE images (name TEXT UNIQUE, runs BLOB)")
        for i, entry in enumerate(entries):
            connection.execute("INSERT INTO images VALUES (?, ?)", entry)
            if i % IMAGES_A_COMMIT == 0:
                connection.commit()
        connection.commit()
        connection.close()

    return write


def open_sqlite(path: Path) -> Reader:
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    return lambda name: connection.execute("SELECT runs FROM images WHERE name = ?", (name,)).fetchone()[0]


def write_lmdb(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    environment = lmdb.open(str(path), subdir=False, map_size=2**34)
    transaction = environment.begin(write=True)
    for i, (name, runs) in enumerate(entries):
        transaction.put(name.encode(), runs)
        if i % IMAGES_A_COMMIT == 0:
            transaction.commit()
            transaction = environment.begin(write=True)
    transaction.commit()
    environment.close()


def open_lmdb(path: Path) -> Reader:
    environment = lmdb.open(str(path), subdir=False, readonly=True, lock=False)
    transaction = environment.begin()
    return lambda name: transaction.get(name.encode())


def write_tar(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    places = {}
    with tarfile.open(path, "w") as archive:
        for name, runs in entries:
            member = tarfile.TarInfo(name)
            member.size = len(runs)
            archive.addfile(member, io.BytesIO(runs))
            places[name] = (archive.offset - -(-len(runs) // 512) * 512, len(runs))
    path.with_suffix(".json").write_text(json.dumps(places))


def open_tar(path: Path) -> Reader:
    places = json.loads(path.with_suffix(".json").read_text())
    file = path.open("rb", buffering=0)

    def read(name: str) -> bytes:
        start, length = places[name]
        file.seek(start)
        return file.read(length)

    return read


def write_parquet(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    schema = pyarrow.schema([("name", pyarrow.string()), ("runs", pyarrow.binary())])
    entries = list(entries)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for i in range(0, len(entries), 64):
            names, runs = zip(*entries[i : i + 64], strict=True)
            writer.write_table(pyarrow.table([names, runs], schema=schema))


def open_parquet(path: Path) -> Reader:
    file = pyarrow.parquet.ParquetFile(path, memory_map=True)
    places = {}
    for group in range(file.num_row_groups):
        for row, name in enumerate(file.read_row_group(group, ["name"])["name"].to_pylist()):
            places[name] = (group, row)

    def read(name: str) -> bytes:
        group, row = places[name]
        return file.read_row_group(group, ["runs"])["runs"][row].as_py()

    return read


def write_files(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    path.mkdir()
    for name, runs in entries:
        (path / name).write_bytes(runs)


def open_files(path: Path) -> Reader:
    return lambda name: (path / name).read_bytes()


CONTAINERS: dict[str, Container] = {
    "sqlite, pages of 1 kB": (write_sqlite(1024), open_sqlite),
    "sqlite, pages of 2 kB": (write_sqlite(2048), open_sqlite),
    "sqlite, pages of 4 kB": (write_sqlite(4096), open_sqlite),
    "lmdb": (write_lmdb, open_lmdb),
    "tar and an index": (write_tar, open_tar),
    "parquet": (write_parquet, open_parquet),
    "a file an image": (write_files, open_files),
}


def measure(container: Container, packed: list[bytes], folder: Path) -> dict[str, float]:
    """Bytes, seconds and milliseconds of one container."""
    write, open_reader = container
    names = [f"train2017_{i:012d}.jpg" for i in range(NUM_IMAGES)]
    entries = [(name, packed[i % len(packed)]) for i, name in enumerate(names)]
    path = folder / "store.bin"
    start = time.perf_counter()
    write(path, entries)
    written = time.perf_counter()
    read = open_reader(path)
    read(names[0])
    opened = time.perf_counter()
    milliseconds = []
    for i in np.random.default_rng(0).permutation(NUM_IMAGES)[:NUM_READS]:
        before = time.perf_counter()
        runs = read(names[i])
        milliseconds.append(1000 * (time.perf_counter() - before))
        assert bytes(runs) == entries[i][1]
    on_disk = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    return {
        "overhead_bytes_per_image": (on_disk - sum(len(runs) for _, runs in entries)) / NUM_IMAGES,
        "images_written_per_s": NUM_IMAGES / (written - start),
        "ms_to_open": 1000 * (opened - written),
        "ms_to_read": median(milliseconds),
    }


def main(out: Path) -> None:
    """Measure all containers and write a table and a JSON file."""
    packed = packed_regions()
    measured: dict[str, Any] = {}
    for name, container in CONTAINERS.items():
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            measured[name] = measure(container, packed, Path(folder))
        print(f"{name:<24}", {key: round(value, 3) for key, value in measured[name].items()}, flush=True)
    result = {
        "command": f"python benchmarks/region_store_containers.py {out}",
        "num_images": NUM_IMAGES,
        "bytes_per_image": sum(map(len, packed)) / len(packed),
        "containers": measured,
        "machine": describe_machine(("lmdb", "pyarrow", "zstandard")),
    }
    out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
