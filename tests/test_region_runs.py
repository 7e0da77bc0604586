"""Making regions and showing them from Python; `tests/cli` has what the command line adds."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rmae
from rmae import region_runs
from rmae.data.photographs import TRAINING
from rmae.data.region_check import WrongRegionSource
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.visual.region_sheet import RegionSheet, render_region_page
from rmae.visual.region_statistics import region_areas, warnings_in_words


def halves_and_bright(image: np.ndarray, name: str) -> np.ndarray:
    """A source of the user's own: two halves, and the pixels of one colour, if there are any."""
    width = image.shape[1]
    halves = np.broadcast_to(np.arange(width) * 2 // width, image.shape[:2])
    return np.stack([halves, np.where(image[..., 0] > 150, 7, -1)]).astype(np.int32)


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[RegionSheet]:
    """What the pages that are written show."""
    shown: list[RegionSheet] = []

    def render(sheet: RegionSheet) -> str:
        shown.append(sheet)
        return render_region_page(sheet)

    monkeypatch.setattr(region_runs, "render_region_page", render)
    return shown


@pytest.fixture
def store(photo_folder: Path, tmp_path: Path) -> Path:
    """Regions that overlap, some images with more and some with none."""
    path = tmp_path / "mine.regions"
    generator = np.random.default_rng(0)
    with StoreWriter(path, StoreHeader({"kind": "grid", "rows": 2}, 3, str(photo_folder), 0, 0)) as writer:
        for number, photo in enumerate(sorted(photo_folder.iterdir())):
            with Image.open(photo) as image:
                label_maps = generator.integers(-1, 5 * number, (number, image.height, image.width), np.int32)
            writer.add(PackedRegions.of(photo.name, label_maps))
        writer.finish()
    return path


# Making


def test_regions_of_a_source_of_the_users_own_are_stored(photo_folder: Path, tmp_path: Path):
    path = rmae.make_regions(photo_folder, tmp_path / "a.regions", source=halves_and_bright, num_workers=0)

    assert path == tmp_path / "a.regions"
    found = RegionStore(path)
    for name in found.names():
        with Image.open(photo_folder / name) as image:
            expected = halves_and_bright(np.asarray(image), name)
        np.testing.assert_array_equal(found.read(name).label_maps(), expected)
    assert found.header.source["kind"] == "own"
    assert found.header.source["description"].endswith("test_region_runs.halves_and_bright")


def test_without_data_regions_of_the_bundled_photographs_are_made(tmp_path: Path):
    path = rmae.make_regions(None, tmp_path / "a.regions", source=rmae.Grid(), num_workers=0)

    assert path is not None
    assert RegionStore(path).names() == set(TRAINING)


def test_the_same_source_is_the_same_from_another_folder(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    rmae.make_regions("photos", "areas.regions", source=rmae.Grid(), num_workers=0)
    source = rmae.RandomMasks(store="areas.regions")
    rmae.make_regions("photos", "random.regions", source=source, num_workers=0)
    before = (tmp_path / "random.regions").read_bytes()

    monkeypatch.chdir(photo_folder)
    source = rmae.RandomMasks(store="../areas.regions")
    path = rmae.make_regions(".", "../random.regions", source=source, num_workers=0)

    assert path == Path("../random.regions")
    assert (tmp_path / "random.regions").read_bytes() == before
    assert RegionStore(path).header.root == str(photo_folder)


def test_a_share_of_the_work_gives_no_store_until_the_last_one(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        made.append(rmae.make_regions(photo_folder, tmp_path / "a.regions", source=rmae.Grid(), num_workers=0))

    assert made == [None, tmp_path / "a.regions"]
    assert RegionStore(tmp_path / "a.regions").header.num_images == 6


def test_what_is_wrong_with_a_source_of_the_users_own_is_said(photo_folder: Path, tmp_path: Path):
    def flat(image: np.ndarray, name: str) -> np.ndarray:
        return np.zeros(image.shape[:2], np.int32)

    for ask in (
        lambda: rmae.make_regions(photo_folder, tmp_path / "a.regions", source=flat, num_workers=0),
        lambda: rmae.show_regions(flat, tmp_path / "page.html", data=photo_folder),
    ):
        with pytest.raises(WrongRegionSource, match=r"gave an array of shape \(48, 80\) for 0.png; it must give label"):
            ask()


# What a sheet counts


def test_counts_of_a_store_are_those_of_its_label_maps(store: Path, tmp_path: Path, sheets: list[RegionSheet]):
    rmae.show_regions(store, tmp_path / "page.html", num_images=1)

    areas = {name: region_areas(runs.label_maps()) for name, runs in RegionStore(store)}
    (statistics,) = (sheet.statistics for sheet in sheets)
    counted = np.split(statistics.areas, np.cumsum(statistics.regions_per_image)[:-1])
    assert sorted(map(sorted, counted)) == sorted(map(sorted, areas.values()))
    assert sorted(statistics.regions_per_image) == sorted(map(len, areas.values()))
    assert min(statistics.regions_per_image) == 0
    assert max(statistics.regions_per_image) > 100
    assert statistics.num_images == 6
    assert statistics.bytes_per_image == store.stat().st_size / 6


def test_of_a_large_store_some_images_are_counted(
    store: Path, tmp_path: Path, sheets: list[RegionSheet], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(region_runs, "_MAX_COUNTED", 2)
    for seed in range(4):
        rmae.show_regions(store, tmp_path / "page.html", num_images=1, seed=seed)

    counted = [tuple(sheet.statistics.regions_per_image.tolist()) for sheet in sheets]
    of_an_image = {len(region_areas(runs.label_maps())) for _, runs in RegionStore(store)}
    assert all(len(counts) == 2 and set(counts) <= of_an_image for counts in counted)
    assert len({frozenset(counts) for counts in counted}) > 1  # not always the first
    assert [sheet.statistics.num_images for sheet in sheets] == [6] * 4
    assert "regions counted in 2 of them" in (tmp_path / "page.html").read_text()


def test_counts_of_a_source_are_those_of_the_pictures_shown(
    photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]
):
    rmae.show_regions(halves_and_bright, tmp_path / "page.html", data=photo_folder, num_images=4)

    (sheet,) = sheets
    assert sheet.statistics.num_images == 6
    assert sheet.statistics.regions_per_image.tolist() == [3] * 4
    expected = np.concatenate([region_areas(picture.label_maps) for picture in sheet.pictures])
    np.testing.assert_array_equal(sheet.statistics.areas, expected)
    assert sheet.statistics.bytes_per_image is None


def test_a_store_of_images_without_regions_can_be_shown(photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]):
    def nothing(image: np.ndarray, name: str) -> np.ndarray:
        return np.empty((0, *image.shape[:2]), np.int32)

    path = rmae.make_regions(photo_folder, tmp_path / "a.regions", source=nothing, num_workers=0)
    assert path is not None
    rmae.show_regions(path, tmp_path / "page.html")

    assert sheets[0].statistics.regions_per_image.tolist() == [0] * 6
    assert "6 of the 6 images that were counted have no region at all" in (tmp_path / "page.html").read_text()


def test_regions_of_photographs_give_no_false_alarm(tmp_path: Path, sheets: list[RegionSheet]):
    rmae.show_regions(rmae.Felzenszwalb(), tmp_path / "page.html", num_images=100)

    (sheet,) = sheets
    assert len(sheet.pictures) == len(TRAINING)
    assert sheet.title == "photographs"
    assert warnings_in_words(sheet.statistics) == []


# What a sheet shows


def test_pictures_and_their_regions_are_those_of_the_store(
    store: Path, photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]
):
    rmae.show_regions(store, tmp_path / "page.html")

    pictures = sheets[0].pictures
    assert [picture.name for picture in pictures] == [f"{i}.png" for i in range(6)]
    for picture in pictures:
        with Image.open(photo_folder / picture.name) as image:
            np.testing.assert_array_equal(picture.image, image)
        np.testing.assert_array_equal(picture.label_maps, RegionStore(store).read(picture.name).label_maps())


def test_the_seed_alone_chooses_the_pictures(
    store: Path, photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]
):
    for seed in (0, 1, 0, 1):
        rmae.show_regions(store, tmp_path / "page.html", num_images=3, seed=seed)
    of_a_source = tmp_path / "source.html"
    rmae.show_regions(halves_and_bright, of_a_source, data=photo_folder, num_images=3, seed=1)

    *chosen, by_source = ([picture.name for picture in sheet.pictures] for sheet in sheets)
    assert chosen[:2] == chosen[2:]
    assert all(len(set(names)) == 3 and sorted(names) == names for names in chosen)
    assert chosen[0] != chosen[1]
    assert by_source == chosen[1]


@dataclass(frozen=True)
class Striped:
    """A source of the user's own with settings."""

    width: int = 5

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        columns = np.arange(image.shape[1], dtype=np.int32) // self.width
        return np.broadcast_to(columns, (1, *image.shape[:2]))


class Plain:
    """One without anything to tell it by."""

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        return np.zeros((1, *image.shape[:2]), np.uint8)


@pytest.mark.parametrize(
    ("source", "described"),
    [
        (rmae.Felzenszwalb(scales=(100, 250.5)), "felzenszwalb · scales 100, 250.5 · sigma 0.8"),
        (rmae.Slic(num_segments=(9,), compactness=1e-4), "slic · num segments 9 · compactness 0.0001 · sigma 1"),
        (rmae.Live(source=rmae.Grid(rows=7)), "grid · rows 7 · columns 4"),
        (halves_and_bright, "test_region_runs.halves_and_bright"),
        (Striped(), "Striped(width=5)"),
        (Plain(), "test_region_runs.Plain"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_source_is_named_with_its_settings(
    source: Callable[[np.ndarray, str], np.ndarray],
    described: str,
    photo_folder: Path,
    tmp_path: Path,
    sheets: list[RegionSheet],
):
    page = rmae.show_regions(source, tmp_path / "page.html", data=photo_folder, num_images=1)

    assert page == tmp_path / "page.html"
    (sheet,) = sheets
    assert (sheet.title, list(sheet.summary)) == ("photos", ["Source", "Folder"])
    assert sheet.summary["Source"].endswith(described)
    assert sheet.summary["Folder"] == str(photo_folder)
    assert len(sheet.pictures) == 1
    named = rmae.make_regions(photo_folder, tmp_path / "a.regions", source=getattr(source, "source", source))
    assert named is not None
    rmae.show_regions(named, tmp_path / "page.html", num_images=1)
    assert sheets[1].summary["Source"] == sheet.summary["Source"]


def test_a_store_is_named_with_what_it_lacks(photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]):
    (photo_folder / "2.png").write_bytes(b"no image")
    path = rmae.make_regions(photo_folder, tmp_path / "a.regions", source=rmae.Grid(), num_workers=0)
    assert path is not None
    rmae.show_regions(path, tmp_path / "page.html")
    (photo_folder / "3.png").unlink()
    rmae.show_regions(path, tmp_path / "page.html")

    first, second = (sheet.summary for sheet in sheets)
    assert [sheet.title for sheet in sheets] == ["a.regions"] * 2
    assert list(first) == ["Source", "Folder", "Without regions"]
    assert first["Without regions"].startswith("1 image, 2.png: it is not an image in a form that can be read")
    assert second["Not shown"] == "1 picture, 3.png: the file is missing"
    assert [picture.name for picture in sheets[1].pictures] == ["0.png", "1.png", "4.png", "5.png"]


def test_of_many_reasons_the_first_is_told(photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]):
    for i in range(1, 6):
        (photo_folder / f"{i}.png").write_bytes(b"no image")
    rmae.show_regions(rmae.Grid(), tmp_path / "page.html", data=photo_folder)

    assert sheets[0].summary["Not shown"].startswith("5 pictures; the first, 1.png: it is not an image")
    assert sheets[0].statistics.regions_per_image.tolist() == [16]


def test_stored_regions_may_be_given_as_a_source(store: Path, photo_folder: Path, tmp_path: Path, sheets: Any):
    rmae.show_regions(rmae.Stored(path=str(store)), tmp_path / "page.html", data=photo_folder)
    assert sheets[0].summary["Source"] == f"stored · path {store}"


def test_sub_folders_of_the_data(photo_folder: Path, tmp_path: Path, sheets: list[RegionSheet]):
    for name in ("train", "val"):
        (photo_folder / name).mkdir()
    (photo_folder / "0.png").rename(photo_folder / "train" / "0.png")
    (photo_folder / "1.png").rename(photo_folder / "val" / "1.png")

    rmae.show_regions(rmae.Grid(), tmp_path / "page.html", data=photo_folder)
    rmae.show_regions(rmae.Grid(), tmp_path / "page.html", data=photo_folder, subsets=("val",))

    assert [[picture.name for picture in sheet.pictures] for sheet in sheets] == [["train/0.png"], ["val/1.png"]]


def test_a_page_depends_on_nothing_else(store: Path, tmp_path: Path):
    first = rmae.show_regions(store, tmp_path / "a.html", num_images=3).read_bytes()
    assert rmae.show_regions(store, tmp_path / "b.html", num_images=3).read_bytes() == first
    picture = rmae.show_regions(str(store), str(tmp_path / "a.png"), num_images=1)
    assert picture == tmp_path / "a.png"
    assert rmae.show_regions(store, tmp_path / "b.png", num_images=1).read_bytes() == picture.read_bytes()


# What cannot be


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_images": 0}, "num_images is 0 and seed 0; show at least 1 picture, with a seed >= 0"),
        ({"seed": -1}, "num_images is 12 and seed -1; show at least 1 picture"),
        ({"channels": 0}, "image files are read with 1 channel (grey), 3 (RGB), 4 (RGB and alpha) or as many as"),
        ({"out": "."}, ". is a folder; name a file"),
        ({"data": "nowhere"}, "the images of {}/mine.regions are not in nowhere; name the folder they are in (--data)"),
        ({"data": "empty"}, "none of the pictures chosen from {}/empty can be shown; the first, 0.png: the file is m"),
        ({"regions": "nowhere"}, "there is no region store nowhere; make one with rmae regions make"),
        ({"regions": "photos/0.png"}, "photos/0.png is no region store"),
        ({"regions": rmae.Grid(), "data": "nowhere"}, "the data folder {}/nowhere does not exist"),
        ({"regions": rmae.Grid(), "data": "photos", "subsets": ("a",)}, "{}/photos has no sub-folder 'a'; it has"),
        (
            {"regions": rmae.Stored(path="nowhere"), "data": "photos"},
            "none of the pictures chosen from {}/photos can be shown; the first, 0.png: there is no region store",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(
    settings: dict[str, Any], sentence: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    with pytest.raises(ValueError, match=f"^{re.escape(sentence.format(tmp_path))}"):
        rmae.show_regions(**{"regions": store, "out": "page.html", **settings})

    assert {path.name for path in tmp_path.iterdir()} == {"photos", "empty", store.name}


def test_a_store_cannot_take_the_place_of_a_folder(photo_folder: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=f"^{tmp_path} is a folder; name a file$"):
        rmae.make_regions(photo_folder, tmp_path, source=rmae.Grid())
