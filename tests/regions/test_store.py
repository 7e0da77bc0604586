import json
import multiprocessing
import os
import pickle
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from noise_stores import HEADER, MAPS, execute, label_maps, refusal, write
from rmae.regions.label_runs import LabelRuns
from rmae.regions.store import RegionStore
from rmae.regions.stored import Stored


def holds(store: RegionStore, maps: dict[str, np.ndarray]) -> bool:
    return store.names() == maps.keys() and all(
        np.array_equal(store.read(name).label_maps(), maps[name]) for name in maps
    )


# Contents


def test_a_store_gives_back_what_was_written(path: Path):
    store = RegionStore(path)
    assert store.names() == MAPS.keys()
    assert store.skipped() == {"lost.png": "the file is missing", "torn.png": "it is torn"}
    assert list(store.skipped()) == ["lost.png", "torn.png"]
    for name, expected in MAPS.items():
        np.testing.assert_array_equal(store.read(name).label_maps(), expected, strict=True)


def test_the_header_says_where_the_regions_come_from_and_how_many_there_are(path: Path):
    num_regions = sum(len(np.unique(labels[labels >= 0])) for maps in MAPS.values() for labels in maps)
    assert RegionStore(str(path)).header == HEADER._replace(num_images=3, num_regions=num_regions)


def test_going_through_a_store_is_in_the_order_of_names(path: Path):
    names = []
    for name, runs in RegionStore(path):
        names.append(name)
        np.testing.assert_array_equal(runs.label_maps(), MAPS[name])
    assert names == ["a.png", "b/2.png", "b/größe 1.png"]


def test_an_image_may_have_no_regions(tmp_path: Path):
    maps = {"none.png": np.empty((0, 4, 5), np.int32), "off.png": np.full((1, 4, 5), -1, np.int32)}
    store = write(tmp_path / "a.regions", maps)
    assert holds(store, maps)
    assert (store.header.num_images, store.header.num_regions) == (2, 0)


@pytest.mark.parametrize(
    "name", ["a b", "a#b", "a?mode=rw", "100%41", "größe-日本", "file:a", "'\"", os.fsdecode(b"\xff")]
)
def test_any_path_will_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / name
    folder.mkdir()
    write(folder / f"{name}.regions", MAPS)
    monkeypatch.chdir(folder)
    for path in (folder / f"{name}.regions", Path(f"{name}.regions")):
        assert holds(RegionStore(path), MAPS)
    more = {**MAPS, "new.png": label_maps(4)}
    write(Path(f"{name}.regions"), {"new.png": more["new.png"]})
    assert holds(RegionStore(f"{name}.regions"), more)
    assert [path.name for path in folder.iterdir()] == [f"{name}.regions"]


# What a store lacks


def test_a_missing_name_is_explained(path: Path):
    with pytest.raises(
        ValueError, match=r"has no regions of c\.png; it names images like (a|b/).*\.png: add the image"
    ):
        RegionStore(path).read("c.png")


def test_a_skipped_image_is_missing_for_its_reason(path: Path):
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} has no regions of torn\.png: it is torn$"):
        RegionStore(path).read("torn.png")


def test_an_empty_store_lacks_everything(tmp_path: Path):
    store = write(tmp_path / "a.regions", {})
    assert (list(store), store.names(), store.skipped()) == ([], set(), {})
    with pytest.raises(ValueError, match=r"has no regions of a\.png: add the image with rmae regions make"):
        store.read("a.png")


def test_an_image_of_another_size_is_refused(path: Path):
    source = Stored(path=str(path))
    image = np.zeros((12, 15, 3), np.uint8)
    np.testing.assert_array_equal(source(image, "a.png"), MAPS["a.png"], strict=True)
    np.testing.assert_array_equal(source.runs("a.png", (12, 15)).label_maps(), MAPS["a.png"], strict=True)
    for other in (image[1:], image[:, 1:], image.transpose(1, 0, 2)):
        height, width = other.shape[:2]
        sentence = rf"has regions of a\.png at 12 x 15 pixels, but the image has {height} x {width}; delete the store"
        with pytest.raises(ValueError, match=sentence):
            source(other, "a.png")


# Files that are no store, or another one


@pytest.mark.parametrize("path", ["missing.regions", "no/such/folder.regions", "."])
def test_a_missing_store_is_explained(path: str, tmp_path: Path):
    said = refusal(tmp_path / path)
    assert said == f"there is no region store {tmp_path / path}; make one with rmae regions make"


def test_a_store_deleted_after_it_was_opened_is_missed_by_other_processes(path: Path):
    store = RegionStore(path)
    store.read("a.png")
    elsewhere = pickle.loads(pickle.dumps(store))
    path.unlink()
    np.testing.assert_array_equal(store.read("b/2.png").label_maps(), MAPS["b/2.png"])
    with pytest.raises(ValueError, match="there is no region store"):
        elsewhere.read("b/2.png")


@pytest.mark.parametrize("content", [b"no store at all", b"\0" * 5000, b"SQLite format 3\0" + b"\0" * 5000, b"S" * 99])
def test_another_kind_of_file_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "a.regions").write_bytes(content)
    assert "is no region store" in refusal(tmp_path / "a.regions")


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "a.regions").touch()
    assert refusal(tmp_path / "a.regions").endswith("is no region store: it is empty, or another program's database")


def test_a_database_of_another_program_is_refused(path: Path):
    execute(path, "PRAGMA application_id = 7")
    assert refusal(path).endswith("is no region store: it is empty, or another program's database")


@pytest.mark.parametrize("version", [0, 1, 99])
def test_another_format_version_is_refused(version: int, path: Path):
    execute(path, f"PRAGMA user_version = {version}")
    assert (
        refusal(path)
        == f"{path} is a region store of format version {version}; this rmae reads 2: delete it and make it anew"
    )


@pytest.mark.parametrize(
    "header",
    [
        "", "{", "null", "[]", "7", "{}", "[" * 100_000, "1" * 5000,
        json.dumps({**HEADER._asdict(), "more": 1}),
        json.dumps({name: value for name, value in HEADER._asdict().items() if name != "root"}),
        *(json.dumps({**HEADER._asdict(), name: None}) for name in HEADER._fields),
        json.dumps({**HEADER._asdict(), "num_images": "3"}),
    ],
    ids=lambda header: header[:12],
)  # fmt: skip
def test_a_header_of_another_form_is_refused(header: str, path: Path):
    execute(path, f"UPDATE header SET header = '{header}'")
    assert re.search(r"is no region store, or a damaged one \(its header: .+\); make the store anew$", refusal(path))


@pytest.mark.parametrize(
    "statement",
    ["UPDATE header SET header = x'ff'", "UPDATE header SET header = 7", "DELETE FROM header", "DROP TABLE header"],
)
def test_a_header_that_is_no_text_is_refused(statement: str, path: Path):
    execute(path, statement)
    assert "is no region store, or a damaged one (" in refusal(path)


# Many readers


def test_processes_that_are_spawned_read_too(path: Path):
    store = RegionStore(path)
    store.names()  # is open in this process
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(store.read, MAPS, chunksize=1)
    for runs, expected in zip(found, MAPS.values(), strict=True):
        assert isinstance(runs, LabelRuns)
        np.testing.assert_array_equal(runs.label_maps(), expected)


def fork(work: Callable[[], bool]) -> multiprocessing.Process:
    """Start a process that exits with 0 if its work returns True."""
    process = multiprocessing.get_context("fork").Process(target=lambda: os._exit(0 if work() else 1))
    process.start()
    return process


def test_forked_processes_read_at_once_and_leave_the_parent_its_store(tmp_path: Path):
    maps = {f"{i}.png": label_maps(i) for i in range(200)}
    store = write(tmp_path / "a.regions", maps)
    assert holds(store, maps)
    processes = [fork(lambda: all(holds(store, maps) for _ in range(5))) for _ in range(4)]
    for _ in range(5):
        assert holds(store, maps)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert holds(store, maps)


def test_a_forked_process_opens_the_store_for_itself(path: Path):
    store = RegionStore(path)
    assert store.names() == MAPS.keys()
    write(path, {"new.png": label_maps(4)})
    child = fork(lambda: store.names() == {*MAPS, "new.png"})
    child.join()
    assert child.exitcode == 0
    assert store.names() == MAPS.keys()


def test_reading_needs_no_locks(path: Path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert holds(RegionStore(path), MAPS)


def test_readers_go_on_with_the_old_store_while_it_is_added_to(path: Path, tmp_path: Path):
    store, first, last = RegionStore(path), tmp_path / "first", tmp_path / "last"
    store.names()

    def read_until_last() -> bool:
        held = RegionStore(path)
        assert holds(held, MAPS)
        first.touch()
        while not last.exists():
            assert holds(held, MAPS)
        return holds(held, MAPS)

    reader = fork(read_until_last)
    while not first.exists():
        assert reader.is_alive()
        time.sleep(0.01)
    more = {f"new {i}.png": label_maps(i) for i in range(100)}
    for name, maps in more.items():
        write(path, {name: maps})
    assert holds(store, MAPS)
    assert holds(RegionStore(path), {**MAPS, **more})
    last.touch()
    reader.join()
    assert reader.exitcode == 0


def test_a_store_may_lie_where_nobody_can_write(path: Path, tmp_path: Path):
    copy = tmp_path / "copy" / "b.regions"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    copy.chmod(0o400)
    before = [(file.name, file.stat().st_mtime_ns) for file in copy.parent.iterdir()]
    assert holds(RegionStore(copy), MAPS)
    assert [(file.name, file.stat().st_mtime_ns) for file in copy.parent.iterdir()] == before


def test_regions_of_another_size_than_the_image_are_not_even_unpacked(path: Path):
    """What a store says of an image takes its memory only where the image is as large."""
    execute(path, "UPDATE images SET height = 30000, width = 30000, runs = x'00'")
    with pytest.raises(ValueError, match=r"has regions of a\.png at 30000 x 30000 pixels, but the image has 12 x 15;"):
        Stored(path=str(path)).runs("a.png", (12, 15))
    with pytest.raises(ValueError, match=r"the regions of a\.png in .* are damaged: its bytes are damaged"):
        Stored(path=str(path)).runs("a.png", (30000, 30000))
