"""Whole runs, and the stores that they read their regions from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rmae.config import PretrainConfig
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.live import Live
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.regions.stored import Stored
from rmae.runs import pretrain, report
from rmae.training.run_folder import read_run

SEGMENTS = Felzenszwalb(scales=(20, 80))


def with_data(config: PretrainConfig, **knobs: Any) -> PretrainConfig:
    return replace(config, data=replace(config.data, **knobs))


@pytest.fixture
def config(tiny_config: PretrainConfig) -> PretrainConfig:
    return with_data(tiny_config, regions=SEGMENTS, held_out=1)


def figures(run: Path) -> list[dict[str, Any]]:
    """All that was logged but how long it took."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_s"} for line in lines]


def weights(run: Path) -> bytes:
    return (max((run / "checkpoints").iterdir()) / "model.safetensors").read_bytes()


def store_of(run: Path) -> Path:
    path = read_run(run).config().data.region_store
    assert path is not None
    return Path(path)


def never_asked(image: np.ndarray, name: str) -> np.ndarray:
    raise AssertionError("the store was to be read")


def test_regions_are_made_first_and_then_only_read(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    first = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "first")

    store = store_of(first)
    assert store.parent == tmp_path / "runs" / "regions"
    assert [file.name for file in store.parent.iterdir()] == [store.name]
    trained_on = {f"{i}.png" for i in range(6)} - {next(iter(missing(store)))}
    assert RegionStore(store).names() >= trained_on
    before = store.stat()

    second = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "second")

    assert store_of(second) == store
    assert (store.stat().st_mtime_ns, store.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert figures(second) == figures(first)
    assert weights(second) == weights(first)


def missing(store: Path) -> set[str]:
    return {f"{i}.png" for i in range(6)} - RegionStore(store).names() or {""}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_stored_live_and_own_regions_train_the_same(
    num_workers: int, config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    config = with_data(config, num_workers=num_workers)
    stored = pretrain(config, data=photo_folder, out=tmp_path / "stored" / "run")
    sources = {
        "live": Live(source=SEGMENTS),
        "own": lambda image, name: SEGMENTS(image, name),
        "from the store": Stored(path=str(store_of(stored))),
    }
    for name, source in sources.items():
        run = pretrain(with_data(config, regions=source), data=photo_folder, out=tmp_path / name / "run")
        assert figures(run) == figures(stored)
        assert weights(run) == weights(stored)
        assert [path.name for path in (tmp_path / name).iterdir()] == ["run"]  # and no store


def test_training_depends_on_the_regions(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    losses = [
        figures(pretrain(with_data(config, regions=source), data=photo_folder, out=tmp_path / name))
        for name, source in (("a", SEGMENTS), ("b", Grid()))
    ]
    assert losses[0] != losses[1]


def test_a_store_of_other_regions_than_the_sources_is_what_training_reads(
    config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    """Stored by hand under the source's name, so that it can be told which of the two was asked."""
    path = tmp_path / "own.regions"
    header = StoreHeader({"kind": "grid", "rows": 9, "columns": 9}, 3, str(photo_folder), 0, 0)
    with StoreWriter(path, header) as writer:
        for file in photo_folder.iterdir():
            with Image.open(file) as image:
                writer.add(PackedRegions.of(file.name, SEGMENTS(np.asarray(image), file.name)))
        writer.finish()
    named = with_data(config, regions=Grid(rows=9, columns=9), region_store=str(path))

    run = pretrain(named, data=photo_folder, out=tmp_path / "run")

    assert figures(run) == figures(pretrain(config, data=photo_folder, out=tmp_path / "other"))


def test_a_store_that_lacks_images_is_completed(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    new = photo_folder / "new.png"
    shutil.copy(photo_folder / "0.png", tmp_path / "new.png")
    path = store_of(pretrain(config, data=photo_folder, out=tmp_path / "runs" / "first"))
    before = RegionStore(path).names()
    shutil.move(tmp_path / "new.png", new)

    second = pretrain(with_data(config, held_out=0), data=photo_folder, out=tmp_path / "runs" / "second")

    assert store_of(second) == path
    assert RegionStore(path).names() == {*(f"{i}.png" for i in range(6)), "new.png"} > before


def test_a_resumed_run_reads_the_same_store(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    whole = pretrain(config, data=photo_folder, out=tmp_path / "whole" / "run")
    run = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "run")
    shutil.rmtree(run / "checkpoints" / "update_000000004")
    store = store_of(run)
    before = store.stat().st_mtime_ns

    pretrain(config, out=run, resume=True)

    assert store_of(run) == store
    assert store.stat().st_mtime_ns == before
    assert figures(run) == figures(whole)
    assert weights(run) == weights(whole)


def test_a_resumed_run_makes_a_deleted_store_again(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    whole = pretrain(config, data=photo_folder, out=tmp_path / "whole" / "run")
    run = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "run")
    shutil.rmtree(run / "checkpoints" / "update_000000004")
    store_of(run).unlink()

    pretrain(read_run(run).config(), out=run, resume=True)

    assert store_of(run).exists()
    assert weights(run) == weights(whole)


def test_a_resumed_run_may_keep_its_regions_elsewhere(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    run = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "run")
    moved = store_of(run).rename(tmp_path / "moved.regions")
    longer = replace(config, optimizer=replace(config.optimizer, updates=6))

    pretrain(with_data(longer, region_store=str(moved)), out=run, resume=True)

    assert store_of(run) == moved
    assert [path.name for path in (tmp_path / "runs" / "regions").iterdir()] == []
    assert len(figures(run)) == 6


def test_the_report_is_the_same_after_the_store_was_deleted(config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    run = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "run")
    page = (run / "report.html").read_bytes()
    assert b"Region IoU" in page
    shutil.rmtree(store_of(run).parent)

    assert report(run).read_bytes() == page
    assert not store_of(run).parent.exists()


def test_an_image_without_regions_is_listed_and_training_goes_on(
    config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    (photo_folder / "broken.png").write_bytes(b"no image")
    config = with_data(config, held_out=0, max_bad_share=0.5)
    config = replace(config, optimizer=replace(config.optimizer, batch_size=7))

    run = pretrain(config, data=photo_folder, out=tmp_path / "runs" / "run")

    assert RegionStore(store_of(run)).skipped().keys() == {"broken.png"}
    listed = [json.loads(line)["name"] for line in (run / "skipped_images.jsonl").read_text().splitlines()]
    assert listed == ["broken.png"]


def test_a_store_of_another_source_is_refused_before_there_is_a_run(
    config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    path = tmp_path / "own.regions"
    pretrain(with_data(config, region_store=str(path)), data=photo_folder, out=tmp_path / "first")
    other = with_data(config, region_store=str(path), regions=Grid())

    with pytest.raises(ValueError, match=r"own\.regions was made with the source .*; choose another file"):
        pretrain(other, data=photo_folder, out=tmp_path / "second")
    assert not (tmp_path / "second").exists()
