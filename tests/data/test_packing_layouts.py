"""Packing from folders, Parquet files and shards; what others read of it."""

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from webdataset.tariterators import group_by_keys, tar_file_expander

from encoded_pictures import encode
from packed_folders import pack
from rmae.config import DataConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_all_images, list_images, split_images
from rmae.data.packing import Packing, pack_images
from rmae.data.parquet import ParquetImages
from rmae.data.shards import Shards
from rmae.regions.grid import Grid
from rmae.regions.inside import Inside
from rmae.regions.label_runs import LabelRuns

MakeFolder = Callable[[int], ImageSet]
GRID = Grid(rows=2, columns=3)


# Folders of training and validation images


@pytest.fixture(params=["train2017 val2017", "train val"])
def coco(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Ten images for training, three for validation and one for testing."""
    root = tmp_path / "coco"
    training, validation = request.param.split()
    for folder, number in ((training, 10), (validation, 3), ("test", 1)):
        (root / folder).mkdir(parents=True)
        for i in range(number):
            Image.new("RGB", (12, 10), (i, 0, 0)).save(root / folder / f"{i}.png")
    return root


@pytest.mark.parametrize("settings", [{}, {"held_out": 2}, {"held_out": 0}])
def test_training_and_validation_stay_what_they_are(settings: dict[str, Any], coco: Path, tmp_path: Path):
    images = list_all_images(coco)
    assert len(images.names) == 13
    shards = pack(images, tmp_path / "packed")
    assert shards.names == images.names
    for seed in range(3):
        of_folder = split_images(coco, DataConfig(**settings), seed=seed)
        of_shards = split_images(tmp_path / "packed", DataConfig(**settings), seed=seed)
        assert [part.names for part in of_shards] == [part.names for part in of_folder]
        assert all(isinstance(part.container, Shards) for part in of_shards)
    assert len(of_shards[0].names) == 10


def test_sub_folders_are_chosen_before_or_after(coco: Path, tmp_path: Path):
    folder = next(path.name for path in coco.iterdir() if path.name.startswith("val"))
    images = list_all_images(coco, (folder, "test"))
    assert pack(images, tmp_path / "some").names == images.names == list_images(coco, ("test", folder)).names
    everything = list_images(coco, tuple(sorted(path.name for path in coco.iterdir())))
    pack(everything, tmp_path / "all")
    assert list_images(tmp_path / "all", (folder,)).names == list_images(coco, (folder,)).names
    with pytest.raises(ValueError, match=r"the images packed in .*all are from no folder 'tset'; there are \['test', "):
        list_images(tmp_path / "all", ("tset",))


def test_a_flat_folder_is_split_alike(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(12)
    pack(list_all_images(images.root), tmp_path / "packed")
    of_folder = split_images(images.root, DataConfig(), seed=3)
    of_shards = split_images(tmp_path / "packed", DataConfig(), seed=3)
    assert [part.names for part in of_shards] == [part.names for part in of_folder]
    assert len(of_shards[1].names) == 1


def test_names_need_not_be_unicode(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    for name in (b"caf\xe9.png", "日本.png".encode(), b"a b\n.png"):
        with open(bytes(tmp_path / "photos") + b"/" + name, "wb") as file:
            file.write(encode(np.full((3, 4, 3), len(name), np.uint8)))
    images = list_images(tmp_path / "photos")
    shards = pack(images, tmp_path / "packed")
    assert shards.names == images.names
    again = list_images(tmp_path / "packed")
    for name in images.names:
        pixels = images.read(name, channels=3, max_pixels=100)
        np.testing.assert_array_equal(again.read(name, channels=3, max_pixels=100), pixels)


# Parquet files


@pytest.fixture
def parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two files of three images each, with a label map in a column."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "hub"
    folder.mkdir()
    for which in range(2):
        pixels = [np.full((10 + i, 12, 3), 40 * i + 9 * which, np.uint8) for i in range(3)]
        maps = [np.repeat(np.arange(12, dtype=np.uint8)[None] // 3 + i, 10 + i, axis=0) for i in range(3)]
        columns = {"image": [encode(image) for image in pixels], "annotation": [encode(map_) for map_ in maps]}
        pq.write_table(pa.table(columns), folder / f"train-{which}.parquet")
    return folder


def test_parquet_files_are_packed_with_their_label_maps(parquet: Path, tmp_path: Path):
    inside = Inside(column="annotation")
    images = list_all_images(parquet, regions_column="annotation")
    assert isinstance(images.container, ParquetImages)
    shards = pack(images, tmp_path / "packed", regions=inside, num_workers=2)
    assert shards.names == images.names
    assert shards.region_settings == {"kind": "inside", "column": "annotation"}
    for name in images.names:
        assert np.array_equal(shards.regions(name).label_maps(), images.container.regions(name).label_maps())
        original = images.read(name, channels=3, max_pixels=1000)
        packed = list_images(tmp_path / "packed").read(name, channels=3, max_pixels=1000)
        assert np.abs(packed.astype(int) - original).max() <= 2


def test_parquet_files_are_packed_with_other_regions(parquet: Path, tmp_path: Path):
    images = list_all_images(parquet)
    shards = pack(images, tmp_path / "packed")
    original = images.read(images.names[4], channels=3, max_pixels=1000)
    assert np.array_equal(shards.regions(images.names[4]).label_maps(), GRID(original, ""))
    with pytest.raises(ValueError, match=r"the data in .*hub have no regions inside; name a source of regions"):
        pack(images, tmp_path / "other", regions=Inside())


def test_folders_beside_parquet_files_are_none_of_their_images(parquet: Path):
    """Images in a folder for validation, which a container of others does not hold."""
    (parquet / "val").mkdir()
    (parquet / "val" / "a.png").write_bytes(encode(np.zeros((3, 4, 3), np.uint8)))
    assert list_all_images(parquet).names == list_images(parquet).names
    training, held_out = split_images(parquet, DataConfig(), seed=0)
    assert len(held_out.names) == 1
    assert not {*training.names, *held_out.names} & {"val/a.png"}


# Shards


def test_shards_are_packed_again_with_the_regions_inside(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(4)
    first = pack(images, tmp_path / "first", short_side=None)
    assert first.region_settings is not None
    for folder, regions in (("inside", Inside()), ("same", GRID)):
        again = pack(list_all_images(tmp_path / "first"), tmp_path / folder, regions=regions, short_side=10)
        assert again.region_settings == first.region_settings
        assert all(runs.width == 14 for runs in (again.regions("01.png"),))
        whole = first.regions("01.png").label_maps()
        rows, columns = (2 * np.arange(10) + 1) * 21 // 20, (2 * np.arange(14) + 1) * 30 // 28
        np.testing.assert_array_equal(again.regions("01.png").label_maps(), whole[:, rows[:, None], columns])
    other = pack(list_all_images(tmp_path / "first"), tmp_path / "other", regions=Grid(rows=1, columns=1))
    assert np.unique(other.regions("01.png").label_maps()).tolist() == [0]


def test_shards_without_regions_have_none_inside(photo_folder: MakeFolder, tmp_path: Path):
    pack(photo_folder(2), tmp_path / "first", regions=None)
    with pytest.raises(ValueError, match=r"the data in .*first have no regions inside; name a source of regions"):
        pack(list_images(tmp_path / "first"), tmp_path / "second", regions=Inside())


# What others read of it


def test_webdataset_and_tarfile_read_the_shards(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(5)
    shards = pack(images, tmp_path / "packed", images_per_shard=2)
    paths = sorted(str(path) for path in (tmp_path / "packed").glob("*.tar"))
    assert len(paths) == 3
    with ExitStack() as stack:  # WebDataset itself leaves it to chance when files are closed
        streams = [{"url": path, "stream": stack.enter_context(open(path, "rb"))} for path in paths]
        samples = list(group_by_keys(tar_file_expander(streams)))
    assert [sample["__key__"] for sample in samples] == [f"{i:09d}" for i in range(5)]
    members = {}
    for path in paths:
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                members[member.name] = file.read()
    assert len(members) == 15
    for sample, name in zip(samples, images.names, strict=True):
        assert all(sample[suffix] == members[f"{sample['__key__']}.{suffix}"] for suffix in ("jpg", "regions", "json"))
        facts = json.loads(sample["json"])
        assert facts["name"] == name
        assert sample["jpg"] == shards.open(name).read()
        with Image.open(io.BytesIO(sample["jpg"])) as image:
            assert image.size == (facts["width"], facts["height"])
        sizes = {size: facts[size] for size in ("num_maps", "height", "width")}
        label_maps = LabelRuns.unpack(sample["regions"], **sizes).label_maps()
        np.testing.assert_array_equal(label_maps, shards.regions(name).label_maps())


def test_a_shard_that_is_gone_is_named(tmp_path: Path, photo_folder):
    images = photo_folder(3)
    pack_images(images, tmp_path / "packed", Packing(images_per_shard=1, num_workers=0))
    (tmp_path / "packed" / "shard-000001.tar").unlink()
    with pytest.raises(ValueError, match=r"shard-000001\.tar is missing; bring it back, or delete .* and pack anew"):
        pack_images(images, tmp_path / "packed", Packing(images_per_shard=1, num_workers=0))
