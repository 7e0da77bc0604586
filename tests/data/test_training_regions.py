"""Which store a run reads, and what is made for it."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmae.config import DataConfig, ModelConfig, PretrainConfig
from rmae.data.images import read_image
from rmae.data.layouts import ImageSet, list_images
from rmae.data.region_reader import open_regions, open_regions_of_pictures
from rmae.data.training_regions import make_training_regions, with_region_store
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.live import Live
from rmae.regions.store import RegionStore
from rmae.regions.store_lock import StoreLock
from rmae.regions.stored import Stored


def config(regions: object, **data: object) -> PretrainConfig:
    return PretrainConfig(data=DataConfig(regions=regions, num_workers=0, **data))


def store_of(run: PretrainConfig, root: Path, beside: Path) -> Path:
    chosen = with_region_store(run, root, beside=beside).data.region_store
    assert chosen is not None
    return Path(chosen)


def test_runs_side_by_side_share_a_store(tmp_path: Path):
    one, two = (store_of(config(Grid()), tmp_path / "photos", tmp_path / "runs" / name) for name in ("one", "two"))
    assert one == two
    assert one.parent == tmp_path / "runs" / "regions"
    assert one.name.startswith("photos-grid-")


def test_other_images_sources_and_channels_have_other_stores(tmp_path: Path):
    grey = PretrainConfig(
        model=ModelConfig(channels=1), data=DataConfig(regions=Grid(), pixel_mean=(0.5,), pixel_std=(0.2,))
    )
    stores = [
        store_of(config(Grid()), tmp_path / "photos", tmp_path / "run"),
        store_of(config(Grid()), tmp_path / "other" / "photos", tmp_path / "run"),
        store_of(config(Grid(rows=2)), tmp_path / "photos", tmp_path / "run"),
        store_of(config(Felzenszwalb()), tmp_path / "photos", tmp_path / "run"),
        store_of(grey, tmp_path / "photos", tmp_path / "run"),
    ]
    assert len(set(stores)) == len(stores)


def test_settings_that_are_equal_have_one_store(tmp_path: Path):
    stores = {
        store_of(config(Felzenszwalb(scales=scales)), tmp_path / "photos", tmp_path / "run")
        for scales in ((500, 1000), (500.0, 1000.0))
    }
    assert len(stores) == 1


def test_changed_annotations_have_another_store(tmp_path: Path):
    file = tmp_path / "a.json"
    file.write_text("{}")
    run = config(CocoInstances(annotations=(str(file),)))
    before = store_of(run, tmp_path / "photos", tmp_path / "run")
    file.write_text('{"images": []}')
    assert store_of(run, tmp_path / "photos", tmp_path / "run") != before


def own_source(image: np.ndarray, name: str) -> np.ndarray:
    return np.zeros((1, *image.shape[:2]), dtype=np.int32)


@pytest.mark.parametrize("regions", [Live(source=Grid()), Stored(path="a.regions"), own_source])
def test_what_is_not_made_has_no_store(regions: object, tmp_path: Path):
    chosen = with_region_store(config(regions), tmp_path / "photos", beside=tmp_path / "run")
    assert chosen.data.region_store is None


def test_paths_mean_the_same_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    chosen = with_region_store(config(Stored(path="a.regions")), None, beside=Path("runs/one"))
    assert chosen.data.regions == Stored(path=str(tmp_path / "a.regions"))
    chosen = with_region_store(config(Grid(), region_store="b.regions"), None, beside=Path("runs/one"))
    assert chosen.data.region_store == str(tmp_path / "b.regions")


@pytest.fixture
def images(photo_folder) -> ImageSet:
    return photo_folder(4)


def test_regions_are_made_once(images: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = config(Grid(), region_store=str(tmp_path / "a.regions"))
    make_training_regions(run, images)
    made = (tmp_path / "a.regions").stat()
    assert RegionStore(tmp_path / "a.regions").names() == set(images.names)

    capsys.readouterr()
    make_training_regions(run, images)
    assert capsys.readouterr().out == f"regions: {tmp_path / 'a.regions'}\n"
    make_training_regions(run, images._replace(names=images.names[:2]))
    again = (tmp_path / "a.regions").stat()
    assert (again.st_ino, again.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


def test_a_run_makes_all_its_regions_whatever_started_it(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    make_training_regions(config(Grid(), region_store=str(tmp_path / "a.regions")), images)
    assert RegionStore(tmp_path / "a.regions").names() == set(images.names)


def test_it_is_said_where_the_images_were_when_the_regions_were_made(
    images: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = config(Grid(), region_store=str(tmp_path / "a.regions"))
    make_training_regions(run, images)
    moved = images.root.rename(tmp_path / "moved")
    make_training_regions(run, list_images(moved))
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"regions: {tmp_path / 'a.regions'}, made when the images were in {images.root}"


def test_a_run_waits_for_another_that_makes_the_same_regions(
    images: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    store = tmp_path / "a.regions"
    lock = StoreLock(store.with_name("a.regions.lock"))
    waiting = threading.Thread(target=make_training_regions, args=(config(Grid(), region_store=str(store)), images))
    waiting.start()
    time.sleep(0.5)
    assert not store.exists()
    lock.release()
    waiting.join(20)
    assert RegionStore(store).names() == set(images.names)
    assert f"another process is making the regions in {store}; waiting for it" in capsys.readouterr().out


def test_what_was_skipped_before_is_left_alone(images: ImageSet, tmp_path: Path):
    (images.root / "bad.png").write_text("no picture")
    with_bad = list_images(images.root)
    run = config(Grid(), region_store=str(tmp_path / "a.regions"))
    make_training_regions(run, with_bad)
    made = (tmp_path / "a.regions").stat()
    make_training_regions(run, with_bad)
    assert (tmp_path / "a.regions").stat().st_mtime_ns == made.st_mtime_ns


def test_a_store_that_is_none_is_an_error_before_training(images: ImageSet, tmp_path: Path):
    (tmp_path / "a.regions").write_text("text")
    with pytest.raises(ValueError, match=r"a\.regions"):
        make_training_regions(config(Stored(path=str(tmp_path / "a.regions"))), images)


def test_stored_and_live_regions_are_the_same(images: ImageSet, tmp_path: Path):
    source = Felzenszwalb(scales=(20, 50))
    run = config(source, region_store=str(tmp_path / "a.regions"))
    make_training_regions(run, images)
    stored, live = open_regions(run.data), open_regions(config(Live(source=source)).data)
    for name in images.names:
        image = read_image(images.root / name, channels=3, max_pixels=1000_000)
        for ours, expected in zip(stored(image, name), live(image, name), strict=True):
            np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(stored(image, name).label_maps(), source(image, name))


def test_pictures_that_the_store_lacks_are_asked_of_the_source(images: ImageSet, tmp_path: Path):
    run = config(Grid(), region_store=str(tmp_path / "a.regions"))
    make_training_regions(run, images._replace(names=images.names[:2]))
    read = open_regions_of_pictures(run.data)
    without_store = open_regions_of_pictures(replace(run.data, region_store=str(tmp_path / "gone.regions")))
    for name in images.names:
        image = read_image(images.root / name, channels=3, max_pixels=1000_000)
        for reader in (read, without_store):
            np.testing.assert_array_equal(reader(image, name).label_maps(), Grid()(image, name))
    with pytest.raises(ValueError, match="has no regions of"):
        open_regions(run.data)(image, images.names[-1])
