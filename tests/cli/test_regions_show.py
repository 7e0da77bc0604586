"""Showing regions from the command line."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rmae.regions.store import RegionStore

Complaint = Callable[..., str]
Done = Callable[..., str]
MakeStore = Callable[..., RegionStore]


@pytest.fixture
def squares(make_store: MakeStore, photo_folder: Path, tmp_path: Path) -> Path:
    """A store of two rows and three columns of rectangles."""
    return make_store(photo_folder, tmp_path / "squares.regions", "--source", "grid --rows 2 --columns 3").path


def shown_names(page: Path) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", page.read_text())


def test_a_page_about_a_store(done: Done, squares: Path, tmp_path: Path):
    page = tmp_path / "deep" / "page.html"

    assert done("regions", "show", squares, "--out", page) == f"regions: {page}\n"

    html = page.read_text()
    assert html.startswith("<!doctype html>")
    assert shown_names(page) == [f"{i}.png" for i in range(6)]
    assert "<h1>squares.regions</h1>" in html
    assert "grid · rows 2 · columns 3" in html
    assert (
        len(re.findall(r"6 regions, median 1[67]", html)) == 2 * 6
    )  # below each picture, and for those who cannot see it


def test_the_page_is_written_here_if_nothing_is_said(
    done: Done, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    done("regions", "show", squares)
    assert len(shown_names(tmp_path / "regions.html")) == 6


@pytest.mark.parametrize("name", ["sheet.png", "SHEET.PNG"])
def test_one_picture_about_a_store(done: Done, name: str, squares: Path, tmp_path: Path):
    done("regions", "show", squares, "--out", tmp_path / name, "--num-images", "2")

    with Image.open(tmp_path / name) as sheet:
        sheet.load()
        assert (sheet.format, sheet.width) == ("PNG", 1660)


def test_a_page_about_a_source_stores_nothing(done: Done, photo_folder: Path, tmp_path: Path):
    page = tmp_path / "page.html"

    done("regions", "show", "--data", photo_folder, "--source", "grid --rows 5", "--out", page)

    assert "grid · rows 5 · columns 4" in page.read_text()
    assert "<h1>photos</h1>" in page.read_text()
    assert shown_names(page) == [f"{i}.png" for i in range(6)]
    assert "20 regions, median 5" in page.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "page.html"}


def test_without_a_source_the_papers_regions_are_shown(done: Done, photo_folder: Path, tmp_path: Path):
    done("regions", "show", "--data", photo_folder, "--out", tmp_path / "page.html")
    assert "felzenszwalb · scales 500, 1000, 1500 · sigma 0.8" in (tmp_path / "page.html").read_text()


def test_number_of_pictures_and_seed(done: Done, squares: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    chosen = set()
    for seed in range(4):
        done("regions", "show", squares, "--out", page, "--num-images", "2", "--seed", str(seed))
        chosen.add(tuple(shown_names(page)))
    assert {len(names) for names in chosen} == {2}
    assert len(chosen) > 1


def test_channels_of_the_pictures(make_store: MakeStore, done: Done, photo_folder: Path, tmp_path: Path):
    source = "felzenszwalb --scales 20"
    store = make_store(photo_folder, tmp_path / "grey.regions", "--source", source, "--channels", "1").path
    stored, grey, coloured = (tmp_path / name for name in ("stored.html", "grey.html", "coloured.html"))

    done("regions", "show", store, "--out", stored)
    done("regions", "show", "--data", photo_folder, "--source", source, "--out", grey, "--channels", "1")
    done("regions", "show", "--data", photo_folder, "--source", source, "--out", coloured)

    views = [re.findall(r'src="(data:image[^"]*)"', page.read_text()) for page in (stored, grey, coloured)]
    assert len(views[0]) == 12
    assert views[0] == views[1]
    assert views[0][0] != views[2][0]


def test_pictures_may_have_moved(done: Done, squares: Path, photo_folder: Path, tmp_path: Path, complaint: Complaint):
    moved, page = photo_folder.rename(tmp_path / "moved"), tmp_path / "page.html"

    said = complaint("regions", "show", squares, "--out", page, code=1)
    assert said == f"the images of {squares} are not in {photo_folder}; name the folder they are in (--data)"
    assert not page.exists()

    done("regions", "show", squares, "--out", page, "--data", moved)
    assert len(shown_names(page)) == 6
    assert str(moved) in page.read_text()


def test_pictures_that_are_missing_are_left_out(
    done: Done, squares: Path, photo_folder: Path, tmp_path: Path, complaint: Complaint
):
    page = tmp_path / "page.html"
    (photo_folder / "1.png").unlink()
    (photo_folder / "4.png").write_bytes(b"no image")

    done("regions", "show", squares, "--out", page)

    assert shown_names(page) == ["0.png", "2.png", "3.png", "5.png"]
    assert "2 pictures; the first, 1.png: the file is missing" in page.read_text()

    for photo in photo_folder.iterdir():
        photo.unlink()
    said = complaint("regions", "show", squares, "--out", page, code=1)
    assert (
        said == f"none of the pictures chosen from {photo_folder} can be shown; the first, 0.png: the file is missing"
    )


def test_what_cannot_be_shown(squares: Path, photo_folder: Path, tmp_path: Path, complaint: Complaint):
    def said(*flags: str | Path, code: int = 1) -> str:
        return complaint("regions", "show", *flags, code=code)

    nowhere = tmp_path / "nowhere"
    assert said(nowhere) == f"there is no region store {nowhere}; make one with rmae regions make"
    assert said(photo_folder / "0.png").startswith(f"{photo_folder / '0.png'} is no region store")
    assert said("--data", nowhere) == f"the data folder {nowhere} does not exist"
    assert said(squares, "--data", nowhere).startswith(f"the images of {squares} are not in {nowhere}")
    assert said(squares, "--out", tmp_path) == f"{tmp_path} is a folder; name a file"
    assert said(squares, "--num-images", "0") == "num_images is 0 and seed 0; show at least 1 picture, with a seed >= 0"
    assert said(squares, "--seed", "-1").startswith("num_images is 12 and seed -1;")
    assert said(squares, "--channels", "0").startswith("image files are read with 1 channel (grey)")
    assert said(squares, "--source", "grid", code=2) == "a store and --source are given; show one of them"
    assert said("--data", photo_folder, "--source", "gird", code=2).startswith("--source: there is no source")
    assert said("--source", "grid", code=2).startswith("there is nothing to show")
    assert said(squares, "--number", "3", code=2).startswith("there is no option --number (did you mean --num")
    assert re.match(
        r"none of the pictures chosen from \S+ can be shown; the first, 0.png: .*nowhere",
        said("--data", photo_folder, "--source", f"coco-instances --annotations {nowhere}"),
    )
    assert {path.name for path in tmp_path.iterdir()} == {"photos", squares.name}
