"""Where a run has its regions from, as the command line says."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from rmae.regions.store import RegionStore

Complaint = Callable[..., str]
Done = Callable[..., str]
MakeStore = Callable[..., RegionStore]

DEMO_SOURCE = {
    "kind": "felzenszwalb", "scales": [1000, 2000, 4000], "min_sizes": None, "sigma": 0.8, "short_side": None,
}  # fmt: skip


class Trained(NamedTuple):
    """What a run left."""

    data: dict[str, Any]
    """How its data are configured in its folder."""
    printed: str


@pytest.fixture
def train(done: Done, tiny_flags: list[str], photo_folder: Path, tmp_path: Path) -> Callable[..., Trained]:
    """Trains a tiny model on the photographs, in the folder runs/one."""

    def run(*flags: str | Path) -> Trained:
        out = tmp_path / "runs" / "one"
        printed = done("pretrain", "--data", photo_folder, "--out", out, *tiny_flags, *flags)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert [line["update"] for line in lines] == [2, 4]
        assert all(np.isfinite(line["region_loss"]) for line in lines)
        return Trained(json.loads((out / "config.json").read_text())["config"]["data"], printed)

    return run


Train = Callable[..., Trained]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_regions_are_made_once_beside_the_run(train: Train, tmp_path: Path):
    data = train().data

    assert data["regions"] == DEMO_SOURCE
    (store,) = (tmp_path / "runs" / "regions").iterdir()
    assert data["region_store"] == str(store)
    assert re.fullmatch(r"photos-felzenszwalb-[0-9a-f]{8}\.regions", store.name)
    assert len(RegionStore(store).names()) == 5, "one of six pictures is kept for the report"


@pytest.mark.parametrize(
    ("argument", "source"),
    [
        ("live", DEMO_SOURCE),  # that of the preset
        ("live felzenszwalb --scales 30", {**DEMO_SOURCE, "scales": [30]}),
        ("live grid --rows 2", {"kind": "grid", "rows": 2, "columns": 4}),
    ],
)
def test_live_regions_are_not_stored(argument: str, source: dict[str, Any], train: Train, tmp_path: Path):
    data, printed = train("--regions", argument)

    assert data["regions"] == {"kind": "live", "source": source}
    assert data["region_store"] is None
    assert names(tmp_path / "runs") == {"one"}
    assert "regions of" not in printed


def test_regions_are_kept_in_the_file_that_is_named(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    data, printed = train("--region-store", "mine.regions", "--regions", "grid --rows 2")

    assert data["region_store"] == str(tmp_path / "mine.regions")
    assert "regions of 5 of 5 images" in printed
    assert names(tmp_path / "runs") == {"one"}
    assert RegionStore(tmp_path / "mine.regions").header.source == {"kind": "grid", "rows": 2, "columns": 4}

    shutil.rmtree(tmp_path / "runs")
    again = train("--region-store", "mine.regions", "--regions", "grid --rows 2")
    assert again.data == data
    assert "regions of" not in again.printed
    assert f"regions: {tmp_path / 'mine.regions'}\n" in again.printed


def test_stored_regions(
    make_store: MakeStore, train: Train, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    make_store(photo_folder, Path("squares.regions"), "--source", "grid --rows 2")

    data, printed = train("--regions", "stored --path squares.regions")

    assert data["regions"] == {"kind": "stored", "path": str(tmp_path / "squares.regions")}
    assert data["region_store"] is None
    assert names(tmp_path / "runs") == {"one"}
    assert "regions of" not in printed


def test_regions_of_two_annotation_files(
    train: Train, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    write_boxes(Path("a.json"), photo_folder, "0.png", "1.png", "2.png")
    write_boxes(Path("b.json"), photo_folder, "3.png", "4.png", "5.png")

    data = train("--regions", "coco-instances --annotations a.json b.json").data

    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    assert data["regions"] == {"kind": "coco-instances", "annotations": files, "crowds": False}
    store = RegionStore(data["region_store"])
    assert len(store.names()) == 5
    assert all(runs.areas().tolist() == [30 * 20] for _, runs in store)


def write_boxes(path: Path, folder: Path, *listed: str) -> None:
    """Write annotations with a box of 30 x 20 pixels in each image."""
    images, annotations = [], []
    for number, name in enumerate(listed):
        with Image.open(folder / name) as image:
            images.append({"id": number, "file_name": name, "height": image.height, "width": image.width})
        box = [5, 10, 35, 10, 35, 30, 5, 30]
        annotations.append({"id": number, "image_id": number, "iscrowd": 0, "segmentation": [box]})
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["stored --path nowhere"], 1, "there is no region store {}/nowhere; make one with rmae regions make"),
        (["live coco-instances --annotations a.json"], 1, "the annotations a.json cannot be read (No such file"),
        (["stored"], 2, "Missing from rmae ... stored: --path"),
        (["live stored --path a"], 2, "--regions: there is no source of regions 'stored'"),
        (["live live"], 2, "--regions: there is no source of regions 'live' (there are: coco-instances"),
        (["lve"], 2, "--regions: there is no source of regions 'lve' (did you mean live?)"),
        (
            ["grid --row 2"],
            2,
            "there is no option --row (did you mean --rows?); see rmae regions show --source 'grid --",
        ),
        (
            ["live", "--region-store", "a"],
            2,
            "region_store is a, but regions that are live, stored or inside the data are kept in none; leave",
        ),
        (["stored --path a", "--region-store", "b"], 2, "region_store is b, but regions that are live, stored or"),
    ],
)
def test_wrong_regions_are_answered_in_one_line_before_there_is_a_run(
    flags: list[str],
    code: int,
    sentence: str,
    photo_folder: Path,
    complaint: Complaint,
    monkeypatch: pytest.MonkeyPatch,
):
    folder = photo_folder.parent
    monkeypatch.chdir(folder)

    said = complaint("pretrain", "--data", photo_folder, "--out", "run", "--regions", *flags, code=code)

    assert said.startswith(sentence.format(folder))
    assert names(folder) == {"photos"}
