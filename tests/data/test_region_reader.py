import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from encoded_pictures import encode
from rmae.config import DataConfig
from rmae.data.image_set import ImageSet
from rmae.data.images import StoredImage
from rmae.data.parquet import ParquetImages
from rmae.data.region_check import WrongRegionSource
from rmae.data.region_making import RegionMaking, make_regions
from rmae.data.region_reader import open_regions, open_regions_of_pictures
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.inside import Inside
from rmae.regions.label_runs import LabelRuns
from rmae.regions.live import Live
from rmae.regions.sam_json import SamJson
from rmae.regions.sources import NamedSource
from rmae.regions.stored import Stored

SEGMENTS = Felzenszwalb(scales=(20, 80))


@pytest.fixture
def images(photo_folder: Callable[[int], ImageSet]) -> ImageSet:
    return photo_folder(3)


@pytest.fixture
def make_store(images: ImageSet, tmp_path: Path) -> Callable[[NamedSource], str]:
    def make(source: NamedSource) -> str:
        path = tmp_path / f"{source.kind}.regions"
        make_regions(images, path, RegionMaking(source=source, num_workers=0))
        return str(path)

    return make


MakeStore = Callable[[NamedSource], str]


def picture(images: ImageSet, name: str) -> np.ndarray:
    return images.read(name, channels=3, max_pixels=10**6)


def quarters(image: np.ndarray, name: str) -> np.ndarray:
    return Grid(rows=2, columns=2)(image, name)


def same(one: LabelRuns, other: LabelRuns) -> bool:
    return one.width == other.width and all(np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))


def test_stored_regions_are_those_made_on_the_spot(images: ImageSet, make_store: MakeStore):
    path = make_store(SEGMENTS)
    readers = [
        open_regions(DataConfig(**settings), images)
        for settings in (
            {"regions": SEGMENTS, "region_store": path},
            {"regions": Stored(path=path)},
            {"regions": Live(source=SEGMENTS)},
            {"regions": SEGMENTS},
        )
    ]
    for name in images.names:
        image = picture(images, name)
        expected = LabelRuns.of(SEGMENTS(image, name))
        for read in readers:
            assert same(read(StoredImage.of(image), name), expected)
            assert same(pickle.loads(pickle.dumps(read))(StoredImage.of(image), name), expected)


def test_regions_are_read_from_the_store_and_not_made(images: ImageSet, make_store: MakeStore):
    read = open_regions(DataConfig(regions=SEGMENTS, region_store=make_store(Grid(rows=1, columns=2))), images)
    image = picture(images, "00.png")
    assert same(read(StoredImage.of(image), "00.png"), LabelRuns.of(Grid(rows=1, columns=2)(image, "")))


def test_a_callable_is_asked_each_time(images: ImageSet):
    asked = []

    def source(image: np.ndarray, name: str) -> np.ndarray:
        asked.append(name)
        return quarters(image, name)

    read = open_regions(DataConfig(regions=source), images)
    image = picture(images, "01.png")
    for _ in range(2):
        assert same(read(StoredImage.of(image), "01.png"), LabelRuns.of(quarters(image, "")))
    assert asked == ["01.png", "01.png"]


def test_labels_of_other_integers_are_read_as_32_bits(images: ImageSet):
    read = open_regions(DataConfig(regions=lambda image, name: quarters(image, name).astype(np.int64)), images)
    image = picture(images, "00.png")
    assert same(read(StoredImage.of(image), "00.png"), LabelRuns.of(quarters(image, "")))


def test_a_callable_that_gives_something_else_is_a_mistake(images: ImageSet):
    read = open_regions(DataConfig(regions=lambda image, name: quarters(image, name)[0]), images)
    with pytest.raises(WrongRegionSource, match=r"gave an array of shape \(20, 30\) for 00\.png"):
        read(StoredImage.of(picture(images, "00.png")), "00.png")


@pytest.mark.parametrize("settings", [{"regions": Stored(path="none")}, {"regions": Grid(), "region_store": "none"}])
def test_a_store_that_cannot_be_read_is_an_error_at_once(settings: dict[str, Any], images: ImageSet):
    with pytest.raises(ValueError, match="there is no region store none; make one with rmae regions make"):
        open_regions(DataConfig(**settings), images)


def test_an_image_that_the_store_lacks_is_an_error_of_that_image(images: ImageSet, make_store: MakeStore):
    read = open_regions(DataConfig(regions=Grid(), region_store=make_store(Grid())), images)
    image = picture(images, "00.png")
    with pytest.raises(ValueError, match=r"has no regions of new\.png"):
        read(StoredImage.of(image), "new.png")
    with pytest.raises(ValueError, match=r"has regions of 00\.png at 20 x 30 pixels, but the image has 19 x 30"):
        read(StoredImage.of(image[1:]), "00.png")
    read(StoredImage.of(image), "00.png")


# Pictures that need not be in the store


def test_pictures_that_the_store_lacks_are_asked_of_the_source(images: ImageSet, make_store: MakeStore):
    data = DataConfig(regions=quarters, region_store=make_store(Grid(rows=1, columns=2)))
    read = open_regions_of_pictures(data, images)
    image = picture(images, "00.png")
    assert same(read(StoredImage.of(image), "00.png"), LabelRuns.of(Grid(rows=1, columns=2)(image, "")))
    assert same(read(StoredImage.of(image), "new.png"), LabelRuns.of(quarters(image, "")))


def test_without_the_store_all_pictures_are_asked_of_the_source(images: ImageSet, tmp_path: Path):
    data = DataConfig(regions=quarters, region_store=str(tmp_path / "deleted"))
    image = picture(images, "00.png")
    expected = LabelRuns.of(quarters(image, ""))
    for settings in (data, replace(data, region_store=None)):
        assert same(open_regions_of_pictures(settings, images)(StoredImage.of(image), "00.png"), expected)


def test_pictures_that_nothing_is_known_of_are_an_error_of_that_picture(images: ImageSet, make_store: MakeStore):
    data = DataConfig(regions=SamJson(folder="none"), region_store=make_store(Grid()))
    read = open_regions_of_pictures(data, images)
    with pytest.raises(ValueError, match="there are no masks for this image"):
        read(StoredImage.of(picture(images, "00.png")), "new.png")


# Beside the images


def test_regions_beside_the_images_must_be_of_their_size(tmp_path: Path, open_images: Callable[..., ParquetImages]):
    maps = [np.array([[0, 1, 255]], np.uint8), np.array([[0], [1], [255]], np.uint8)]
    columns = {"image": [encode(np.zeros((1, 3, 3), np.uint8))] * 2, "maps": [encode(map_) for map_ in maps]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    container = open_images(tmp_path / "a.parquet", regions_column="maps")
    images = ImageSet(tmp_path, container.names, container)
    read = open_regions(DataConfig(regions=Inside(column="maps")), images)
    assert not read.needs_pixels
    for reader in (read, pickle.loads(pickle.dumps(read))):
        with images.open(images.names[0], channels=3, max_pixels=100) as image:
            assert reader(image, images.names[0]).label_maps().tolist() == [[[0, 1, -1]]]
        with (
            images.open(images.names[1], channels=3, max_pixels=100) as image,
            pytest.raises(ValueError, match=r"^they are for 3 x 1 pixels, but the image has 1 x 3$"),
        ):
            reader(image, images.names[1])


def test_files_have_no_regions_beside_them(images: ImageSet):
    with pytest.raises(ValueError, match=r"photos holds files of images, which have no regions inside; name a source"):
        open_regions(DataConfig(regions=Inside()), images)
