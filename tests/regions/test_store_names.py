"""Names of images that are not UTF-8, as in old archives: Python holds their bytes as surrogates."""

import os
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noise_stores import HEADER, MAPS, label_maps, write
from rmae.config import PretrainConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.region_making import RegionMaking, make_regions
from rmae.data.share import Share
from rmae.data.training_regions import make_training_regions, with_region_store
from rmae.regions.grid import Grid
from rmae.regions.store import RegionStore
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.regions.stored import Stored

LATIN_1 = os.fsdecode(b"\xdcbung.png")
TORN = os.fsdecode(b"z/\xfcbel.png")
GRID = RegionMaking(source=Grid(), num_workers=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "a.regions"


@pytest.fixture
def images(photo_folder: Path) -> ImageSet:
    """Pictures, one of which and one that is torn have names of an old archive."""
    (photo_folder / "2.png").rename(photo_folder / LATIN_1)
    (photo_folder / "z").mkdir()
    (photo_folder / TORN).write_text("no image")
    return list_images(photo_folder)


def is_whole(store: RegionStore | None, images: ImageSet) -> bool:
    """Whether a store has all images but the torn one, with the regions of the grid."""
    assert store is not None
    assert {LATIN_1, TORN} < set(images.names)
    assert store.skipped().keys() == {TORN}
    return store.names() == set(images.names) - {TORN} and all(
        np.array_equal(runs.label_maps(), Grid()(images.read(name, channels=3, max_pixels=10**6), name))
        for name, runs in store
    )


# Writing and reading


def test_any_name_is_read_as_it_was_written(tmp_path: Path):
    maps = {**MAPS, LATIN_1: label_maps(4), "\udcff": label_maps(5), "\udcc3 ü \U0001f600.png": label_maps(6)}
    store = write(tmp_path / "a.regions", maps, {TORN: "it is torn"})
    assert store.names() == maps.keys()
    assert store.skipped() == {TORN: "it is torn"}
    assert store.header.num_images == 6
    assert [name for name, _ in store] == sorted(maps)
    for name, expected in maps.items():
        np.testing.assert_array_equal(store.read(name).label_maps(), expected, strict=True)
        found = Stored(path=str(store.path)).runs(name, (12, 15))
        np.testing.assert_array_equal(found.label_maps(), expected, strict=True)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read(LATIN_1).label_maps(), maps[LATIN_1])


def test_a_store_holds_the_bytes_of_the_name_as_text(tmp_path: Path):
    maps = {**MAPS, LATIN_1: label_maps(4)}
    store = write(tmp_path / "a.regions", maps, {TORN: "es fällt aus"})
    with closing(sqlite3.connect(store.path)) as connection:
        names = connection.execute("SELECT typeof(name), CAST(name AS BLOB) FROM images ORDER BY rowid").fetchall()
        skipped = connection.execute("SELECT typeof(name), CAST(name AS BLOB), reason FROM skipped").fetchall()
        of_utf_8 = connection.execute("SELECT name FROM images WHERE name = 'b/größe 1.png'").fetchall()
    assert names == [("text", os.fsencode(name)) for name in maps]
    assert skipped == [("text", b"z/\xfcbel.png", "es fällt aus")]
    assert of_utf_8 == [("b/größe 1.png",)]


def test_what_is_said_of_a_missing_image_can_be_printed(tmp_path: Path):
    store = write(tmp_path / "a.regions", {LATIN_1: label_maps(1)}, {TORN: "it is torn"})
    with pytest.raises(ValueError, match=r"has no regions of z/\?bel\.png: it is torn$"):
        store.read(TORN)
    with pytest.raises(ValueError, match=r"has no regions of \?\.png; it names images like \?bung\.png: add the image"):
        store.read("\udcdc.png")


def test_an_image_is_added_once_and_is_then_skipped_no_more(tmp_path: Path):
    with StoreWriter(tmp_path / "a.regions", HEADER) as writer:
        writer.skip(LATIN_1, "torn")
        writer.skip(LATIN_1, "still torn")
        assert writer.skipped() == {LATIN_1: "still torn"}
        for seed in range(2):
            writer.add(PackedRegions.of(LATIN_1, label_maps(seed)))
        assert (writer.names(), writer.skipped()) == ({LATIN_1}, {})
        store = writer.finish()
    assert store.header.num_images == 1
    np.testing.assert_array_equal(store.read(LATIN_1).label_maps(), label_maps(1))


def test_a_reason_may_hold_any_letters(tmp_path: Path):
    """A name stands in many a reason, and a source of a user's own says what it likes."""
    store = write(tmp_path / "a.regions", MAPS, {"a": f"{LATIN_1} is torn", "b": "\ud800", "c": "größe"})
    assert store.skipped() == {"a": r"\udcdcbung.png is torn", "b": r"\ud800", "c": "größe"}


def test_what_was_added_is_gone_on_with_and_stores_are_put_together(tmp_path: Path):
    other = write(tmp_path / "b.regions", {LATIN_1: label_maps(1), "b.png": label_maps(2)}, {TORN: "it is torn"})
    with StoreWriter(tmp_path / "a.regions", HEADER) as writer:
        writer.skip(LATIN_1, "torn")
        writer.add(PackedRegions.of("\udcff.png", label_maps(3)))
    with StoreWriter(tmp_path / "a.regions", HEADER) as writer:
        assert (writer.names(), writer.skipped()) == ({"\udcff.png"}, {LATIN_1: "torn"})
        writer.add_store(other)
        store = writer.finish()
    assert store.names() == {"\udcff.png", LATIN_1, "b.png"}
    assert store.skipped() == {TORN: "it is torn"}
    np.testing.assert_array_equal(store.read(LATIN_1).label_maps(), label_maps(1))


# Folders of images


def test_regions_of_a_folder_are_made_once(images: ImageSet, path: Path, capsys: pytest.CaptureFixture[str]):
    assert is_whole(make_regions(images, path, GRID), images)
    assert "skipped z/?bel.png: it is not an image" in capsys.readouterr().out
    before = path.stat().st_mtime_ns
    assert is_whole(make_regions(images, path, GRID, retry_skipped=False), images)
    assert path.stat().st_mtime_ns == before


def test_shares_are_merged(images: ImageSet, path: Path):
    for rank in range(2):
        store = make_regions(images, path, GRID, share=Share(rank, 2))
        assert (store is None) == (rank == 0)
    assert is_whole(RegionStore(path), images)
    assert [file.name for file in path.parent.iterdir()] == ["a.regions"]


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape"])
def test_the_command_makes_them(encoding: str, images: ImageSet, path: Path):
    command = [sys.executable, "-m", "rmae", "regions", "make", images.root, path, "--source", "grid"]
    done = subprocess.run(
        [*command, "--num-workers", "0"], env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"skipped z/?bel.png: it is not an image" in done.stdout
    assert len(RegionStore(path).names()) == 6


def test_training_finds_them_in_a_folder_of_such_a_name(
    images: ImageSet, tiny_config: PretrainConfig, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
):
    """What is said of the folders is encoded strictly here, as on a terminal."""
    images = images._replace(root=images.root.rename(tmp_path / os.fsdecode(b"\xdcbungen")))
    config = replace(tiny_config, data=replace(tiny_config.data, regions=Grid()))
    config = with_region_store(config, images, beside=tmp_path / "runs" / "one")
    for _ in range(2):
        make_training_regions(config, images)
    store = Path(config.data.region_store or "")
    assert store.name.startswith("\udcdcbungen-grid-")
    assert is_whole(RegionStore(store), images)
    moved = images._replace(root=images.root.rename(tmp_path / os.fsdecode(b"\xdcbungen 2")))
    make_training_regions(config, moved)
    said = capsysbinary.readouterr().out.decode().splitlines()
    place = f"{store.parent}/{store.name.replace(chr(0xDCDC), '?')}"
    assert said[-2:] == [
        f"regions: {place}", f"regions: {place}, made when the images were in {tmp_path}/?bungen",
    ]  # fmt: skip
