"""Several processes, as torchrun or Slurm start them, that share the making of regions."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rmae.data.image_set import ImageSet
from rmae.data.images import read_image
from rmae.data.layouts import list_images
from rmae.data.region_making import RegionMaking, Share, make_regions
from rmae.regions.grid import Grid
from rmae.regions.store import RegionStore
from rmae.regions.store_writer import PackedRegions, StoreWriter

MakeFolder = Callable[[int], ImageSet]
GRID = RegionMaking(source=Grid(), num_workers=0)


def make_share(images: ImageSet, path: Path, rank: int, num_ranks: int, **settings) -> RegionStore | None:
    return make_regions(images, path, GRID, share=Share(rank, num_ranks), **settings)


def is_whole(store: RegionStore, images: ImageSet) -> bool:
    """Whether a store holds exactly the regions that one process would have made."""
    assert store.header.num_images == len(store.names())
    assert not store.names() & store.skipped().keys()
    return store.names() | store.skipped().keys() == set(images.names) and all(
        np.array_equal(runs.label_maps(), Grid()(read_image(images.root / name, channels=3, max_pixels=10**6), name))
        for name, runs in store
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "a.regions"


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


# Whose share it is


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (2, 4)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8"}, (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (0, 1)),  # a batch step is one process, whatever the job may start
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "1"}, (0, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, (1, 2)),
        ({"RANK": "1"}, (0, 1)),
        ({"WORLD_SIZE": "4"}, (0, 1)),
    ],
)
def test_share_is_what_the_environment_says(
    environment: dict[str, str], share: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    set_environment(monkeypatch, environment)
    assert Share.of_environment() == share


@pytest.mark.parametrize(
    ("rank", "num_ranks"), [("2", "2"), ("-1", "2"), ("0", "0"), ("", "1"), ("first", "2"), ("0", "\x1b[2J")]
)
def test_a_share_that_cannot_be_is_refused(rank: str, num_ranks: str, monkeypatch: pytest.MonkeyPatch):
    set_environment(monkeypatch, {"RANK": rank, "WORLD_SIZE": num_ranks})
    with pytest.raises(ValueError, match=r"^RANK is '.*' and WORLD_SIZE is '[^\x1b]*', but they must .* unset both$"):
        Share.of_environment()


def set_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Say this of the process, and nothing else."""
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


# One after the other


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_last_one_merges(order: tuple[int, ...], photo_folder: MakeFolder, path: Path):
    images = photo_folder(7)
    for rank in order[:-1]:
        assert make_share(images, path, rank, 3) is None
        assert not path.exists()
    store = make_share(images, path, order[-1], 3)
    assert store is not None
    assert is_whole(store, images)
    assert files(path) == ["a.regions"]
    assert len(store.names()) == 7


def test_each_makes_a_part_of_its_own(photo_folder: MakeFolder, path: Path):
    images = photo_folder(7)
    made = []
    for rank in range(2):
        assert make_share(images, path, rank, 3) is None
        made.append(RegionStore(path.with_name(f"a.regions.part-{rank + 1}-of-3")).names())
    assert [len(names) for names in made] == [3, 2]
    assert not made[0] & made[1]


def test_a_merged_store_is_the_one_of_one_process(photo_folder: MakeFolder, path: Path):
    images = photo_folder(5)
    (images.root / "02.png").write_text("no image")
    alone = make_regions(images, path.with_name("alone.regions"), GRID)
    assert make_share(images, path, 0, 2) is None
    shared = make_share(images, path, 1, 2)
    assert alone is not None
    assert shared is not None
    assert shared.header == alone.header
    assert shared.skipped() == alone.skipped()
    assert is_whole(shared, images)


def test_more_processes_than_images(photo_folder: MakeFolder, path: Path):
    images = photo_folder(2)
    found = [make_share(images, path, rank, 5) for rank in range(5)]
    assert found[:4] == [None] * 4
    assert found[4] is not None
    assert is_whole(found[4], images)
    assert files(path) == ["a.regions"]


def test_a_share_without_a_usable_image_does_not_stop_the_others(photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    for name in ("00.png", "02.png"):
        (images.root / name).write_text("no image")
    assert make_share(images, path, 0, 2) is None
    store = make_share(images, path, 1, 2)
    assert store is not None
    assert is_whole(store, images)
    assert store.skipped().keys() == {"00.png", "02.png"}


def test_no_usable_image_in_any_share_is_an_error_that_leaves_nothing(photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    for name in images.names:
        (images.root / name).write_text("no image")
    assert make_share(images, path, 0, 2) is None
    with pytest.raises(
        ValueError, match=rf"^no image in {images.root} can be used; the first, 00\.png: it is not an im"
    ):
        make_share(images, path, 1, 2)
    assert files(path) == []


def test_images_added_later_are_shared_too(photo_folder: MakeFolder, path: Path):
    first = photo_folder(3)
    make_regions(first, path, GRID)
    images = photo_folder(8)
    for name in first.names:
        (images.root / name).write_text("no image any more")
    assert make_share(images, path, 0, 2) is None
    assert RegionStore(path).names() == set(first.names)
    store = make_share(images, path, 1, 2)
    assert store is not None
    assert store.names() == set(images.names)
    assert store.skipped() == {}
    assert files(path) == ["a.regions"]


def test_a_store_that_lacks_nothing_is_found_by_all(photo_folder: MakeFolder, path: Path):
    images = photo_folder(3)
    make_regions(images, path, GRID)
    path.with_name("a.regions.part-2-of-2").write_text("of a call that was killed when it had merged")
    before = path.stat().st_mtime_ns
    for rank in range(2):
        store = make_share(images, path, rank, 2)
        assert store is not None
        assert is_whole(store, images)
    assert path.stat().st_mtime_ns == before
    assert files(path) == ["a.regions"]


@pytest.mark.parametrize("retry_skipped", [True, False])
def test_what_was_skipped_is_tried_again_in_shares_or_not(retry_skipped: bool, photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    good = (images.root / "01.png").read_bytes()
    for name in ("01.png", "02.png"):
        (images.root / name).write_text("no image")
    make_regions(images, path, GRID)
    (images.root / "01.png").write_bytes(good)
    for rank in range(2):
        make_share(images, path, rank, 2, retry_skipped=retry_skipped)
    store = RegionStore(path)
    assert is_whole(store, images)
    assert store.skipped().keys() == ({"02.png"} if retry_skipped else {"01.png", "02.png"})


# Killed, and begun again


def test_a_share_is_not_made_again(photo_folder: MakeFolder, path: Path):
    """As after a kill while the other processes were still at work."""
    images = photo_folder(6)
    assert make_share(images, path, 0, 2) is None
    part = path.with_name("a.regions.part-1-of-2")
    before = part.stat().st_mtime_ns
    for name in ("00.png", "02.png", "04.png"):
        (images.root / name).rename(images.root / f"{name}.gone")
    assert make_share(images, path, 0, 2) is None
    assert part.stat().st_mtime_ns == before
    store = make_share(images, path, 1, 2)
    assert store is not None
    assert store.names() == set(images.names)


def test_an_unfinished_share_is_gone_on_with(photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    path.parent.mkdir()
    with StoreWriter(path.with_name("a.regions.part-1-of-2"), GRID.header(images.root)) as writer:
        writer.add(PackedRegions.of("00.png", np.array([[[77]]], dtype=np.int32)))
    for rank in range(2):
        make_share(images, path, rank, 2)
    assert RegionStore(path).read("00.png").label_maps().tolist() == [[[77]]]
    assert RegionStore(path).names() == set(images.names)


def test_parts_of_an_earlier_call_are_not_taken_for_those_of_this_one(photo_folder: MakeFolder, path: Path):
    """Begun for three images and killed before the first process was done, then gone on with for nine."""
    first = photo_folder(3)
    assert make_share(first, path, 1, 2) is None
    images = photo_folder(9)
    assert make_share(images, path, 0, 2) is None  # the other process has not made its share of all nine
    assert not path.exists()
    store = make_share(images, path, 1, 2)
    assert store is not None
    assert is_whole(store, images)
    assert files(path) == ["a.regions"]


def test_a_part_of_another_source_is_refused(photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    other = RegionMaking(source=Grid(rows=7), num_workers=0)
    assert make_regions(images, path, other, share=Share(1, 2)) is None
    for rank in (0, 1):
        with pytest.raises(
            ValueError, match=r"part-2-of-2 was made with the source .*'rows': 7.*; choose another file"
        ):
            make_share(images, path, rank, 2)
    assert not path.exists()


def test_one_process_goes_on_with_what_several_have_made(photo_folder: MakeFolder, path: Path):
    images = photo_folder(7)
    for rank in (0, 2):
        assert make_share(images, path, rank, 3) is None
    for name in (images.names[i] for i in (0, 2, 3, 5, 6)):
        (images.root / name).rename(images.root / f"{name}.gone")  # their regions are there
    store = make_regions(images, path, GRID)
    assert store is not None
    assert store.names() == set(images.names)
    assert files(path) == ["a.regions"]


def test_an_unfinished_store_of_one_process_is_added_to(photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    path.parent.mkdir()
    with StoreWriter(path, GRID.header(images.root)) as writer:
        writer.add(PackedRegions.of("gone.png", np.array([[[77]]], dtype=np.int32)))
    for rank in range(2):
        make_share(images, path, rank, 2)
    assert RegionStore(path).names() == {*images.names, "gone.png"}
    assert files(path) == ["a.regions"]


# At once


TORCHRUN, SLURM = ("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
MAKE = """
import sys
from pathlib import Path
from rmae.data.layouts import list_images
from rmae.data.region_making import RegionMaking, make_regions
from rmae.regions.grid import Grid
store = make_regions(list_images(Path(sys.argv[1])), Path(sys.argv[2]), RegionMaking(source=Grid(), num_workers=1))
print("share" if store is None else "store")
"""


@pytest.mark.parametrize(("rank_name", "num_ranks_name"), [TORCHRUN, pytest.param(*SLURM, marks=pytest.mark.slow)])
def test_processes_started_at_once_make_one_store(
    rank_name: str, num_ranks_name: str, photo_folder: MakeFolder, path: Path
):
    images = photo_folder(20)
    (images.root / "05.png").write_text("no image")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, images.root, path],
            env={**os.environ, rank_name: str(rank), num_ranks_name: "3"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(3)
    ]  # fmt: skip
    said = [process.communicate() for process in processes]
    assert [(process.returncode, errors) for process, (_, errors) in zip(processes, said, strict=True)] == [(0, "")] * 3
    assert "store" in [lines.splitlines()[-1] for lines, _ in said]
    assert is_whole(RegionStore(path), images)
    assert RegionStore(path).skipped().keys() == {"05.png"}
    assert files(path) == ["a.regions"]


def test_processes_that_are_done_at_once_merge_once(photo_folder: MakeFolder, path: Path, tmp_path: Path):
    """All parts are there when two processes look; either may merge, and none may fail or leave anything."""
    images = photo_folder(12)
    parts = [path.with_name(f"a.regions.part-{rank + 1}-of-2") for rank in range(2)]
    (tmp_path / "parts").mkdir()
    for rank, part in enumerate(parts):
        assert make_share(images, path, rank, 2) is None
        part.rename(tmp_path / "parts" / part.name)
    context = multiprocessing.get_context("fork")

    def finish(rank: int, start) -> None:
        start.wait()
        store = make_share(images, path, rank, 2)
        os._exit(0 if store is None or is_whole(store, images) else 1)

    for _ in range(5):
        for part in parts:
            shutil.copy(tmp_path / "parts" / part.name, part)
        start = context.Barrier(2)
        ranks = [context.Process(target=finish, args=(rank, start)) for rank in range(2)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        assert [process.exitcode for process in ranks] == [0, 0]
        assert is_whole(RegionStore(path), images)
        assert files(path) == ["a.regions"]
        path.unlink()


def test_one_process_alone_needs_no_environment(photo_folder: MakeFolder, path: Path, monkeypatch: pytest.MonkeyPatch):
    images = photo_folder(3)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    store = make_regions(list_images(images.root), path, GRID)
    assert store is not None
    assert is_whole(store, images)
