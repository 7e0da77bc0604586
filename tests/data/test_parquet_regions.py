"""Label maps in a column of Parquet files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from encoded_pictures import encode
from rmae.data.parquet import ParquetImages

Open = Callable[..., ParquetImages]


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_one_map_is_read_as_its_levels(tmp_path: Path, open_images: Open):
    pixels = np.array([[0, 0, 150], [1, 255, 254]], np.uint8)
    path = write(tmp_path / "a.parquet", image=[b"0"], annotation=[encode(pixels)])
    runs = open_images(path, regions_column="annotation").regions("a/000000000")
    np.testing.assert_array_equal(runs.label_maps(), np.array([[[0, 0, 150], [1, -1, 254]]], np.int32), strict=True)


@pytest.mark.parametrize("kind", [pa.list_(pa.binary()), pa.large_list(pa.binary())])
def test_a_list_gives_several_maps(tmp_path: Path, open_images: Open, kind: pa.DataType):
    maps = [encode(np.array([[0, 1]], np.uint8)), encode(np.array([[2, 255]], np.uint8))]
    path = write(tmp_path / "a.parquet", image=[b"0"], annotation=pa.array([maps], kind))
    label_maps = open_images(path, regions_column="annotation").regions("a/000000000").label_maps()
    np.testing.assert_array_equal(label_maps, [[[0, 1]], [[2, -1]]])


def test_maps_of_the_datasets_library_are_read(tmp_path: Path, open_images: Open):
    """Written by it as features, in front of the images; of 16 bits it makes a TIFF."""
    maps = [np.full((2, 3), 300 + i, np.uint16) for i in range(2)]
    columns = {
        "maps": [[Image.fromarray(maps[0]), Image.fromarray(maps[1])], []],
        "image": [Image.new("RGB", (4, 3), (value, value, value)) for value in (1, 2)],
    }
    features = {"maps": datasets.Sequence(datasets.Image()), "image": datasets.Image()}
    path = tmp_path / "a.parquet"
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).to_parquet(path)
    images = open_images(path, regions_column="maps")
    with Image.open(images.open(images.names[1])) as image:
        assert image.getpixel((0, 0)) == (2, 2, 2)
    np.testing.assert_array_equal(images.regions(images.names[0]).label_maps(), maps)
    with pytest.raises(ValueError, match="the label map of a/000000001 is not in the Parquet file"):
        images.regions(images.names[1])


def test_rows_keep_their_maps(tmp_path: Path, open_images: Open):
    maps = [encode(np.full((1, 1), i, np.uint8)) for i in range(110)]
    images = open_images(
        write(tmp_path / "a.parquet", annotation=maps, image=[b"0"] * 110), regions_column="annotation"
    )
    labels = [images.regions(name).label_maps().item() for name in images.names]
    assert labels == list(range(110))


def test_without_a_column_there_are_none(tmp_path: Path, open_images: Open):
    images = open_images(write(tmp_path / "a.parquet", image=[b"0"]))
    assert images.region_settings is None
    with pytest.raises(ValueError, match="a/000000000 comes without regions: no column of label maps was named"):
        images.regions("a/000000000")


def test_the_column_is_what_the_regions_depend_on(tmp_path: Path, open_images: Open):
    path = write(tmp_path / "a.parquet", image=[b"0"], annotation=[b"0"])
    assert open_images(path, regions_column="annotation").region_settings == {"kind": "inside", "column": "annotation"}


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (b"damaged", "the label map of a/000000000 is neither a PNG nor a TIFF"),
        ({"bytes": None, "path": "a.png"}, r"the label map of a/000000000 is not .*, only its path a\.png"),
        ([encode(np.zeros((2, 3), np.uint8)), None], "the label map of a/000000000 is not in the Parquet file"),
        (
            [encode(np.zeros((2, 3), np.uint8)), encode(np.zeros((3, 2), np.uint8))],
            r"must be of one size, but have \(height, width\) \[\(2, 3\), \(3, 2\)\]",
        ),
        (encode(np.zeros((11, 10), np.uint8)), r"has 110 pixels, more than the 100 allowed \(max_pixels\)"),
    ],
    ids=["damaged", "path", "null", "sizes", "large"],
)
def test_maps_that_cannot_be_used_are_told(tmp_path: Path, open_images: Open, maps: Any, message: str):
    of_type = pa.struct({"bytes": pa.binary(), "path": pa.string()}) if isinstance(maps, dict) else None
    path = write(tmp_path / "a.parquet", image=[b"0"], annotation=pa.array([maps], of_type))
    images = open_images(path, regions_column="annotation", max_pixels=100)
    with pytest.raises(ValueError, match=message) as caught:
        images.regions(images.names[0])
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_a_missing_file(tmp_path: Path, open_images: Open):
    path = write(tmp_path / "a.parquet", image=[b"0"], annotation=[b"0"])
    with pytest.raises(FileNotFoundError, match="there is no image a/000000001"):
        open_images(path, regions_column="annotation").regions("a/000000001")


def test_the_column_must_be_one_of_images(tmp_path: Path, open_images: Open):
    path = write(tmp_path / "a.parquet", image=[b"0"], label=[1])
    with pytest.raises(ValueError, match=r"no column 'maps' of label maps; its columns are image \(binary\), label"):
        open_images(path, regions_column="maps")
    with pytest.raises(ValueError, match=r"'label' of .*a\.parquet is of type int64, not of images or lists"):
        open_images(path, regions_column="label")
