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


@pytest.fixture(scope="module")
def config(tiny_config: PretrainConfig) -> PretrainConfig:
    return with_data(tiny_config, regions=SEGMENTS, held_out=1)


@pytest.fixture(scope="module")
def made_run(config: PretrainConfig, lasting_photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in `runs/first`, beside it the store that it made; not to be changed."""
    return pretrain(config, data=lasting_photo_folder, out=tmp_path_factory.mktemp("made") / "runs" / "first")


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


def test_regions_are_made_first_and_then_only_read(config: PretrainConfig, made_run: Path, lasting_photo_folder: Path):
    store = store_of(made_run)
    assert store.parent == made_run.parent / "regions"
    assert [file.name for file in store.parent.iterdir()] == [store.name]
    assert len(RegionStore(store).names()) >= 5  # one of six pictures is held out
    before = store.stat()

    second = pretrain(config, data=lasting_photo_folder, out=made_run.parent / "second")

    assert store_of(second) == store
    assert (store.stat().st_mtime_ns, store.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert figures(second) == figures(made_run)
    assert weights(second) == weights(made_run)


@pytest.mark.parametrize(
    ("kind", "num_workers"),
    [
        ("live", 0),
        *(pytest.param(kind, 0, marks=pytest.mark.slow) for kind in ("own", "stored")),
        *(pytest.param(kind, 2, marks=pytest.mark.slow) for kind in ("made", "live", "own", "stored")),
    ],
)
def test_regions_train_the_same_wherever_they_come_from(
    kind: str, num_workers: int, config: PretrainConfig, made_run: Path, lasting_photo_folder: Path, tmp_path: Path
):
    source = {
        "made": SEGMENTS,
        "live": Live(source=SEGMENTS),
        "own": lambda image, name: SEGMENTS(image, name),
        "stored": Stored(path=str(store_of(made_run))),
    }[kind]

    run = pretrain(
        with_data(config, regions=source, num_workers=num_workers),
        data=lasting_photo_folder, out=tmp_path / "runs" / "run",
    )  # fmt: skip

    assert figures(run) == figures(made_run)
    assert weights(run) == weights(made_run)
    assert ((tmp_path / "runs" / "regions").exists()) == (kind == "made")


def test_what_the_store_says_is_trained_on_and_not_what_the_source_would(
    config: PretrainConfig, made_run: Path, lasting_photo_folder: Path, tmp_path: Path
):
    """A store that says it is of another source, so that it can be told which of the two was asked."""
    path, other = tmp_path / "own.regions", Grid(rows=9, columns=9)
    header = StoreHeader({"rows": 9, "columns": 9, "kind": "grid"}, 3, str(lasting_photo_folder), 0, 0)
    with StoreWriter(path, header) as writer:
        for file in lasting_photo_folder.iterdir():
            with Image.open(file) as image:
                writer.add(PackedRegions.of(file.name, SEGMENTS(np.asarray(image), file.name)))
        writer.finish()

    read = with_data(config, regions=other, region_store=str(path))
    run = pretrain(read, data=lasting_photo_folder, out=tmp_path / "read")
    assert figures(run) == figures(made_run)

    asked = with_data(config, regions=Live(source=other))
    assert figures(pretrain(asked, data=lasting_photo_folder, out=tmp_path / "asked")) != figures(made_run)


def test_a_store_that_lacks_images_is_completed(
    config: PretrainConfig, made_run: Path, lasting_photo_folder: Path, tmp_path: Path
):
    photos = shutil.copytree(lasting_photo_folder, tmp_path / "photos")
    shutil.copy(photos / "0.png", photos / "new.png")
    store = shutil.copy(store_of(made_run), tmp_path / "own.regions")
    before = RegionStore(store).names()

    pretrain(with_data(config, held_out=0, region_store=str(store)), data=photos, out=tmp_path / "run")

    assert RegionStore(store).names() == {*(f"{i}.png" for i in range(6)), "new.png"} > before


def interrupted(run: Path, tmp_path: Path) -> Path:
    """A copy of a run, as it was before its last checkpoint."""
    copy = shutil.copytree(run, tmp_path / "interrupted")
    shutil.rmtree(max((copy / "checkpoints").iterdir()))
    return copy


def test_a_resumed_run_reads_the_same_store(config: PretrainConfig, made_run: Path, tmp_path: Path):
    run, store = interrupted(made_run, tmp_path), store_of(made_run)
    before = store.stat().st_mtime_ns

    pretrain(read_run(run).config(), out=run, resume=True)

    assert store_of(run) == store
    assert store.stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["interrupted"]
    assert figures(run) == figures(made_run)
    assert weights(run) == weights(made_run)


@pytest.mark.slow
def test_a_resumed_run_may_keep_its_regions_elsewhere(config: PretrainConfig, made_run: Path, tmp_path: Path):
    run, elsewhere = interrupted(made_run, tmp_path), tmp_path / "elsewhere.regions"

    pretrain(with_data(config, region_store=str(elsewhere)), out=run, resume=True)

    assert store_of(run) == elsewhere
    assert RegionStore(elsewhere).names()
    assert weights(run) == weights(made_run)


def test_the_report_is_the_same_without_the_store(made_run: Path, tmp_path: Path):
    page = (made_run / "report.html").read_bytes()
    assert b"Region IoU" in page
    regions = store_of(made_run).parent
    regions.rename(tmp_path / "moved")
    try:
        assert report(made_run).read_bytes() == page
        assert not regions.exists()
    finally:
        (tmp_path / "moved").rename(regions)


def test_a_store_of_another_source_is_refused_before_there_is_a_run(
    config: PretrainConfig, made_run: Path, lasting_photo_folder: Path, tmp_path: Path
):
    other = with_data(config, region_store=str(store_of(made_run)), regions=Grid())

    with pytest.raises(ValueError, match=r"\.regions was made with the source .*; choose another file"):
        pretrain(other, data=lasting_photo_folder, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
