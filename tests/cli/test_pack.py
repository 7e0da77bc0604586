"""rmae pack, and training on what it wrote."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import rmae
from encoded_pictures import encode
from rmae.data.shards import Shards

Complaint = Callable[..., str]
Done = Callable[..., str]


@pytest.fixture
def packed(done: Done, photo_folder: Path, tmp_path: Path) -> Path:
    """Six pictures in shards of four, with the cells of a grid."""
    flags = ["--regions", "grid --rows 2", "--images-per-shard", "4", "--num-workers", "0"]
    done("pack", photo_folder, tmp_path / "packed", *flags)
    return tmp_path / "packed"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# The command


def test_it_says_what_it_does(done: Done, photo_folder: Path, tmp_path: Path):
    (photo_folder / "torn.png").write_text("no image")
    out = tmp_path / "deep" / "packed"
    printed = done("pack", photo_folder, out, "--short-side", "32", "--num-workers", "1")
    *lines, summary, last = printed.splitlines()
    assert lines == [
        "skipped torn.png: it is not an image in a form that can be read (JPEG, PNG, WEBP, BMP, TIFF, GIF)"
    ]
    assert re.fullmatch(r"packed 6 of 7 images, 1 skipped, [\d,.]+ images/s, in 0:00:\d\d", summary)
    assert last == f"packed: {out}"
    assert names(out) == {"index.safetensors", "rmae-packing.json", "shard-000000.tar"}
    shards = Shards(out)
    assert shards.region_settings is not None
    assert shards.region_settings["kind"] == "felzenszwalb"  # by default
    with Image.open(shards.open("0.png")) as image:
        assert (image.format, image.size) == ("JPEG", (53, 32))
    assert done("pack", photo_folder, out, "--short-side", "32") == f"packed: {out}\n"


@pytest.mark.slow
def test_names_that_cannot_be_printed_do_no_harm(photo_folder: Path, tmp_path: Path, environment: dict[str, str]):
    (photo_folder / "caf\udce9 日.png").write_text("no image")
    command = [sys.executable, "-m", "rmae", "pack", photo_folder, tmp_path / "packed", "--num-workers", "0"]
    for encoding, name in (("utf-8:strict", "caf? 日.png"), ("ascii:strict", "caf? \\u65e5.png")):
        shutil.rmtree(tmp_path / "packed", ignore_errors=True)
        done = subprocess.run(command, env={**environment, "PYTHONIOENCODING": encoding}, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        assert f"skipped {name}: it is not an image" in done.stdout.decode()
    assert len(Shards(tmp_path / "packed").names) == 6


def test_python_packs_the_same(packed: Path, photo_folder: Path, tmp_path: Path):
    found = rmae.pack(photo_folder, tmp_path / "again", regions=rmae.Grid(rows=2), images_per_shard=4, num_workers=2)
    assert found == tmp_path / "again"
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {
        path.name: path.read_bytes() for path in packed.iterdir()
    }


def test_images_alone(done: Done, photo_folder: Path, tmp_path: Path):
    done("pack", photo_folder, tmp_path / "packed", "--regions", "none", "--num-workers", "0")
    assert Shards(tmp_path / "packed").region_settings is None


def test_what_cannot_be_packed_is_one_line(
    complaint: Complaint, packed: Path, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def said(*flags: str | Path, data: Path = photo_folder, out: Path = tmp_path / "other", code: int = 1) -> str:
        return complaint("pack", data, out, "--num-workers", "0", *flags, code=code)

    grid = ("--regions", "grid --rows 2")
    nowhere = tmp_path / "nowhere"
    assert said(data=nowhere) == f"the data folder {nowhere} does not exist"
    assert said(out=photo_folder) == (
        f"{photo_folder} holds 0.png, and no shards; choose another folder for them, new or empty"
    )
    assert said(out=photo_folder / "0.png") == f"{photo_folder / '0.png'} is a file; choose a folder for the shards"
    assert said(*grid, "--images-per-shard", "4", "--quality", "80", out=packed) == (
        f"the shards in {packed} are made with quality 90, not 80; pack into another folder, or delete this one"
    )
    assert said("--quality", "96") == "quality is 96; it must lie between 1 and 95"
    assert said("--short-side", "0") == "short_side is 0; it must be at least 1 pixel, or None"
    assert said("--images-per-shard", "0") == "images_per_shard is 0; it must be at least 1"
    assert said("--subsets", "train").startswith(f"{photo_folder} has no sub-folder 'train'; it has no sub-folders")
    assert said("--regions", "inside") == (
        f"{photo_folder} holds files of images, which have no regions inside; name a source of regions"
    )
    assert said("--regions", "sam --checkpoint x").startswith("Segment Anything works on a GPU")
    assert said("--regions", "gird", code=2).startswith(
        "--regions: there is no source of regions 'gird' (did you mean grid?)"
    )
    assert said("--shortside", "3", code=2).startswith("there is no option --shortside (did you mean --short-side?)")
    assert complaint("pack", photo_folder, code=2).startswith("Missing from rmae pack: OUT ")
    assert not (tmp_path / "other").exists()
    empty = tmp_path / "torn"
    empty.mkdir()
    (empty / "a.png").write_text("no image")
    assert said(data=empty).startswith(f"no image in {empty} can be used; the first, a.png: it is not an image")
    assert not (tmp_path / "other").exists()


def test_shards_that_are_not_all_there_are_not_trained_on(complaint: Complaint, packed: Path, tmp_path: Path):
    (packed / "index.safetensors").unlink()
    assert complaint("pretrain", "--data", packed, "--out", tmp_path / "run", code=1) == (
        f"the images in {packed} are not all packed yet; go on with the same rmae pack"
    )


# Training


@pytest.fixture
def train(done: Done, tiny_flags: list[str], tmp_path: Path) -> Callable[..., str]:
    """Trains a tiny model in the folder runs/one; returns what it prints."""

    def run(data: Path, *flags: str) -> str:
        out = tmp_path / "runs" / "one"
        printed = done("pretrain", "--data", data, "--out", out, *tiny_flags, *flags)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert [line["update"] for line in lines] == [2, 4]
        assert all(np.isfinite(line["region_loss"]) for line in lines)
        assert (out / "skipped_images.jsonl").read_text() == ""
        assert (out / "report.html").stat().st_size > 10_000
        return printed

    return run


Train = Callable[..., str]


@pytest.mark.parametrize("regions", ["inside", "grid --rows 2"])
def test_regions_beside_the_images_are_not_made_again(regions: str, packed: Path, train: Train, tmp_path: Path):
    printed = train(packed, "--regions", regions)
    assert f"regions: beside the images in {packed}\n" in printed
    assert "regions of" not in printed
    assert names(tmp_path / "runs") == {"one"}


def test_other_regions_are_stored(packed: Path, train: Train, tmp_path: Path):
    printed = train(packed, "--regions", "grid --rows 3")
    assert "regions of 5 of 5 images" in printed
    assert names(tmp_path / "runs") == {"one", "regions"}


def test_a_folder_of_files_has_no_regions_inside(complaint: Complaint, photo_folder: Path, tmp_path: Path):
    said = complaint("pretrain", "--data", photo_folder, "--out", tmp_path / "run", "--regions", "inside", code=1)
    assert said == f"{photo_folder} holds files of images, which have no regions inside; name a source of regions"
    assert not (tmp_path / "run").exists()


def test_label_maps_in_parquet_files_are_trained_on(
    train: Train, complaint: Complaint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    generator = np.random.default_rng(0)
    pixels = [generator.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(6)]
    maps = [np.repeat(np.arange(50, dtype=np.uint8)[None] // 10, 40, axis=0)] * 6
    columns = {"image": [encode(image) for image in pixels], "annotation": [encode(map_) for map_ in maps]}
    folder = tmp_path / "hub"
    folder.mkdir()
    pq.write_table(pa.table(columns), folder / "train.parquet")
    said = complaint("pretrain", "--data", folder, "--out", tmp_path / "run", "--regions", "inside", code=1)
    assert re.fullmatch(r"\S+train\.parquet has no column 'regions' of label maps; its columns are image .*", said)
    printed = train(folder, "--regions", "inside --column annotation")
    assert f"regions: beside the images in {folder}\n" in printed
    assert names(tmp_path / "runs") == {"one"}
