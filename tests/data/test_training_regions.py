import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmae.config import DataConfig, ModelConfig, PretrainConfig
from rmae.data.image_set import ImageSet
from rmae.data.images import read_image
from rmae.data.photographs import photographs_set
from rmae.data.region_making import RegionMaking, make_regions
from rmae.data.training_regions import make_training_regions, with_region_store
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.live import Live
from rmae.regions.sam_json import SamJson
from rmae.regions.store import RegionStore
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.regions.stored import Stored

MakeFolder = Callable[[int], ImageSet]


def config(*, channels: int = 3, task: str = "rmae", **data: Any) -> PretrainConfig:
    statistics = {"pixel_mean": (0.5,) * channels, "pixel_std": (0.5,) * channels}
    settings = {"regions": Grid(), "num_workers": 0, **statistics, **data}
    return PretrainConfig(name="tiny", model=ModelConfig(channels=channels, task=task), data=DataConfig(**settings))


def images_in(root: Path | str) -> ImageSet:
    return ImageSet(Path(root), ("a.png",))


def store_of(config: PretrainConfig, root: Path | None = Path("/data/photos"), beside: str = "/runs/one") -> str | None:
    images = photographs_set() if root is None else images_in(root)
    return with_region_store(config, images, beside=Path(beside)).data.region_store


# Which store


def test_store_lies_beside_the_run_and_says_what_is_in_it():
    path = Path(store_of(config()) or "")
    assert path.parent == Path("/runs/regions")
    assert path.match("photos-grid-????????.regions")
    assert Path(store_of(config(), root=None) or "").match("photographs-grid-????????.regions")


def test_runs_side_by_side_share_a_store():
    assert store_of(config(), beside="/runs/one") == store_of(config(), beside="/runs/two")


@pytest.mark.parametrize(
    "settings",
    [{"subsets": ("train",)}, {"held_out": 2}, {"num_workers": 2}, {"crop_scale": (0.5, 1.0)}],
)
def test_what_does_not_change_regions_does_not_change_the_store(settings: dict[str, Any]):
    assert store_of(config(**settings)) == store_of(config())


def test_equal_settings_have_one_store():
    first = store_of(config(regions=Felzenszwalb(scales=(500, 1000))))
    assert store_of(config(regions=Felzenszwalb(scales=(500.0, 1000.0)))) == first


def test_every_folder_source_and_number_of_channels_has_a_store_of_its_own():
    stores = [
        store_of(config()),
        store_of(config(), root=Path("/other/photos")),
        store_of(config(), root=None),
        store_of(config(regions=Grid(rows=5))),
        store_of(config(regions=Felzenszwalb())),
        store_of(config(regions=Felzenszwalb(sigma=0.7))),
        store_of(config(channels=1)),
        store_of(config(), beside="/elsewhere/one"),
    ]
    assert len(set(stores)) == len(stores)


def test_a_store_that_is_named_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert store_of(config(region_store="/my/own.regions")) == "/my/own.regions"
    assert store_of(config(region_store="own.regions")) == str(tmp_path / "own.regions")


def test_from_any_directory_it_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "masks").mkdir()
    monkeypatch.chdir(tmp_path)
    relative = with_region_store(config(regions=SamJson(folder="masks")), images_in("/data"), beside=Path("runs/one"))
    absolute = with_region_store(
        config(regions=SamJson(folder=str(tmp_path / "masks"))), images_in("/data"), beside=tmp_path / "runs" / "two"
    )
    assert relative == absolute
    assert relative.data.regions == SamJson(folder=str(tmp_path / "masks"))
    assert Path(relative.data.region_store or "").parent == tmp_path / "runs" / "regions"


def no_regions(image: np.ndarray, name: str) -> np.ndarray:
    return np.empty((0, *image.shape[:2]), np.int32)


@pytest.mark.parametrize(
    ("regions", "absolute"),
    [
        (Live(source=Grid()), Live(source=Grid())),
        (Live(source=SamJson(folder="masks")), Live(source=SamJson(folder="{}/masks"))),
        (Stored(path="a.regions"), Stored(path="{}/a.regions")),
        (no_regions, no_regions),
    ],
)
def test_other_sources_have_no_store(regions: Any, absolute: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "masks").mkdir()
    monkeypatch.chdir(tmp_path)
    data = with_region_store(config(regions=regions), images_in("/data"), beside=Path("runs/one")).data
    assert data.region_store is None
    assert repr(data.regions) == repr(absolute).replace("{}", str(tmp_path))
    assert list(tmp_path.iterdir()) == [tmp_path / "masks"]


def test_without_a_region_branch_there_is_no_store():
    assert store_of(config(task="mae")) is None
    assert store_of(config(task="mae", regions=None)) is None
    assert store_of(config(task="rae")) is not None


# Making what it lacks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "regions" / "a.regions"


def is_whole(path: Path, images: ImageSet) -> bool:
    store = RegionStore(path)
    return store.names() == set(images.names) and all(
        np.array_equal(runs.label_maps(), Grid()(read_image(images.root / name, channels=3, max_pixels=10**6), name))
        for name, runs in store
    )


def test_a_store_is_made_once(photo_folder: MakeFolder, path: Path, capsys: pytest.CaptureFixture[str]):
    images = photo_folder(4)
    make_training_regions(config(region_store=str(path)), images)
    assert is_whole(path, images)
    assert [file.name for file in path.parent.iterdir()] == ["a.regions"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("regions of 4 of 4 images, ")
    assert said[1:] == [f"regions: {path}"]
    before = path.stat().st_mtime_ns
    make_training_regions(config(region_store=str(path)), images)
    assert path.stat().st_mtime_ns == before
    assert capsys.readouterr().out == f"regions: {path}\n"


def test_a_store_that_lacks_images_gets_them(photo_folder: MakeFolder, path: Path):
    first = photo_folder(2)
    make_regions(first, path, RegionMaking(source=Grid(), num_workers=0))
    images = photo_folder(5)
    make_training_regions(config(region_store=str(path)), images)
    assert is_whole(path, images)


def test_what_could_not_be_used_is_not_tried_again(photo_folder: MakeFolder, path: Path):
    images = photo_folder(3)
    (images.root / "01.png").write_text("no image")
    make_training_regions(config(region_store=str(path)), images)
    before = path.stat().st_mtime_ns
    make_training_regions(config(region_store=str(path)), images)
    assert path.stat().st_mtime_ns == before
    assert RegionStore(path).skipped().keys() == {"01.png"}


def test_images_that_were_moved_keep_their_regions(
    photo_folder: MakeFolder, path: Path, capsys: pytest.CaptureFixture[str]
):
    images = photo_folder(2)
    make_training_regions(config(region_store=str(path)), images)
    moved = images._replace(root=images.root.rename(images.root.with_name("moved")))
    capsys.readouterr()
    make_training_regions(config(region_store=str(path)), moved)
    assert capsys.readouterr().out == f"regions: {path}, made when the images were in {images.root}\n"


def test_a_store_of_another_source_is_refused(photo_folder: MakeFolder, path: Path):
    images = photo_folder(2)
    make_training_regions(config(region_store=str(path)), images)
    with pytest.raises(ValueError, match=r"was made with the source .*; choose another file"):
        make_training_regions(config(region_store=str(path), regions=Grid(rows=5)), images)
    assert is_whole(path, images)


def test_images_larger_than_the_run_allows_are_skipped(photo_folder: MakeFolder, path: Path):
    make_training_regions(config(region_store=str(path), max_pixels=630), photo_folder(3))
    assert RegionStore(path).names() == {"00.png", "01.png"}
    assert "22 = 660 pixels, more than the 630 allowed" in RegionStore(path).skipped()["02.png"]


@pytest.mark.parametrize(
    "settings",
    [{"regions": Live(source=Grid())}, {"regions": no_regions}, {"task": "mae"}, {"task": "mae", "regions": None}],
)
def test_where_nothing_is_stored_nothing_is_made(settings: dict[str, Any], photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(2)
    made = with_region_store(config(**settings), images, beside=tmp_path / "runs" / "one")
    make_training_regions(made, images)
    assert list(tmp_path.iterdir()) == [images.root]


def test_a_store_to_read_that_is_not_there_is_an_error(photo_folder: MakeFolder, tmp_path: Path):
    with pytest.raises(ValueError, match="there is no region store"):
        make_training_regions(config(regions=Stored(path=str(tmp_path / "none"))), photo_folder(2))


def test_a_task_for_several_processes_is_not_shared(
    photo_folder: MakeFolder, path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A run needs all regions, whatever the environment says of others."""
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    images = photo_folder(4)
    make_training_regions(config(region_store=str(path)), images)
    assert is_whole(path, images)


# Several runs


def test_a_run_waits_for_the_process_that_makes_its_regions(
    photo_folder: MakeFolder, path: Path, capsys: pytest.CaptureFixture[str]
):
    images = photo_folder(3)
    path.parent.mkdir(parents=True)
    waiting = threading.Thread(target=make_training_regions, args=(config(region_store=str(path)), images))
    making = RegionMaking(source=Grid(), num_workers=0)
    with StoreWriter(path, making.header(images.root)) as writer:
        waiting.start()
        time.sleep(0.3)
        assert waiting.is_alive()
        marked = np.array([[[77]]], dtype=np.int32)
        for name in images.names:
            writer.add(PackedRegions.of(name, marked))
        writer.finish()
    waiting.join()
    assert [runs.label_maps().tolist() for _, runs in RegionStore(path)] == [[[[77]]]] * 3
    assert capsys.readouterr().out == (
        f"another process is making the regions in {path}; waiting for it\nregions: {path}\n"
    )


def test_runs_started_at_once_find_one_store(photo_folder: MakeFolder, path: Path):
    images = photo_folder(8)
    context = multiprocessing.get_context("fork")
    start = context.Barrier(3)

    def prepare() -> None:
        start.wait()
        make_training_regions(replace(config(region_store=str(path))), images)
        os._exit(0 if is_whole(path, images) else 1)

    runs = [context.Process(target=prepare) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0, 0]
    assert [file.name for file in path.parent.iterdir()] == ["a.regions"]
