"""Images, stores and folders that cannot be used for making regions, and making that is interrupted."""

import re
import signal
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.data import image_progress
from rmae.regions.store import RegionStore
from started_commands import started

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
Complaint = Callable[..., str]
Done = Callable[..., str]
MakeStore = Callable[..., RegionStore]


def test_images_that_cannot_be_used_are_listed_and_left_out(done: Done, photo_folder: Path, tmp_path: Path):
    (photo_folder / "2.png").write_bytes(b"no image")
    Image.new("RGB", (101, 100)).save(photo_folder / "large.png")

    printed = done(
        "regions", "make", photo_folder, tmp_path / "a.regions", "--source", "grid", "--max-pixels", "10000",
        "--num-workers", "0",
    )  # fmt: skip

    assert "\nregions of 5 of 7 images, 2 skipped, " in printed
    store = RegionStore(tmp_path / "a.regions")
    assert re.findall(r"^skipped (\S+): (.{9})", printed, flags=re.MULTILINE) == [
        ("2.png", "it is not"),
        ("large.png", "it has 10"),
    ]
    assert store.names() == {f"{i}.png" for i in (0, 1, 3, 4, 5)}
    assert store.skipped().keys() == {"2.png", "large.png"}


def test_without_any_usable_image_there_is_no_store(photo_folder: Path, tmp_path: Path, complaint: Complaint):
    for photo in photo_folder.iterdir():
        photo.write_bytes(b"no image")

    said = complaint("regions", "make", photo_folder, tmp_path / "a.regions", "--num-workers", "0", code=1)

    assert said.startswith(f"no image in {photo_folder} can be used; the first, 0.png: it is not an image in a form")
    assert list(tmp_path.iterdir()) == [photo_folder]


def test_what_is_stored_is_not_made_again(make_store: MakeStore, done: Done, photo_folder: Path, tmp_path: Path):
    store = make_store(photo_folder, tmp_path / "a.regions", "--source", "grid")
    first = store.names()
    Image.new("RGB", (30, 20)).save(photo_folder / "new.png")

    printed = done("regions", "make", photo_folder, store.path, "--source", "grid", "--num-workers", "0")

    assert printed.startswith("6 of 7 images are done already\nregions of 7 of 7 images, ")
    assert RegionStore(store.path).names() == first | {"new.png"}
    unchanged = store.path.read_bytes()
    assert done("regions", "make", photo_folder, store.path, "--source", "grid") == f"regions: {store.path}\n"
    assert store.path.read_bytes() == unchanged


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--source", "grid --rows 3"], "the source {'rows': 4, 'columns': 4, 'kind': 'grid'}, not {'rows': 3, "),
        (["--source", "slic"], "the source {'rows': 4, 'columns': 4, 'kind': 'grid'}, not {'num_segments': [50], "),
        (["--source", "grid", "--channels", "1"], "the number of channels 3, not 1"),
    ],
)
def test_a_store_keeps_its_source(
    make_store: MakeStore, flags: list[str], what: str, photo_folder: Path, tmp_path: Path, complaint: Complaint
):
    store = make_store(photo_folder, tmp_path / "a.regions", "--source", "grid").path
    before = store.read_bytes()

    said = complaint("regions", "make", photo_folder, store, *flags, code=1)

    assert said.startswith(f"{store} was made with {what}")
    assert said.endswith("; choose another file")
    assert store.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "a.regions"}


def test_folder_of_the_store_is_made(make_store: MakeStore, photo_folder: Path, tmp_path: Path):
    assert make_store(photo_folder, tmp_path / "deep" / "er" / "a.regions", "--source", "grid").header.num_images == 6


def test_data_and_stores_that_cannot_be(photo_folder: Path, tmp_path: Path, complaint: Complaint):
    def said(data: Path, store: Path) -> str:
        return complaint("regions", "make", data, store, "--source", "grid", "--num-workers", "0", code=1)

    store = tmp_path / "a.regions"
    assert said(tmp_path / "nowhere", store) == f"the data folder {tmp_path / 'nowhere'} does not exist"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert said(empty, store).startswith(f"there is no image in {empty}; images are files ending in .jpg")
    assert said(photo_folder, empty) == f"{empty} is a folder; name a file"
    photo = photo_folder / "0.png"
    assert said(photo_folder, photo / "a.regions") == f"{photo}: File exists"
    assert str(photo) in said(photo_folder, photo)
    assert said(photo_folder, Path("/proc/a.regions")).startswith("nothing can be written in /proc (")
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "empty"}


def test_source_without_what_it_looks_up(photo_folder: Path, tmp_path: Path, complaint: Complaint):
    def said(source: str) -> str:
        return complaint("regions", "make", photo_folder, tmp_path / "a.regions", "--source", source, code=1)

    nowhere = tmp_path / "nowhere"
    assert str(nowhere) in said(f"coco-instances --annotations {nowhere}")
    assert str(nowhere) in said(f"coco-panoptic --annotations {nowhere}.json")
    assert re.match(
        r"no image in .* can be used; the first, 0.png: .*nowhere/0.json", said(f"sam-json --folder {nowhere}")
    )
    assert re.match(r"no image in .* can be used; .*there is no region store", said(f"random-masks --store {nowhere}"))
    assert "no Segment Anything model can be loaded from" in said(f"sam --checkpoint {nowhere}")


def test_progress_is_in_plain_lines_where_there_is_no_terminal(
    done: Done, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(image_progress, "_SECONDS_BETWEEN_LINES", 0.0)

    printed = done("regions", "make", photo_folder, tmp_path / "a.regions", "--source", "grid", "--num-workers", "0")

    *lines, summary, last = printed.splitlines()
    assert [line.split()[2] for line in lines] == [f"{i}/6" for i in range(1, 7)]
    assert all(re.fullmatch(r"regions of \d/6  [\d,.]+ images/s  0:00:0\d left", line) for line in lines)
    assert re.fullmatch(r"regions of 6 of 6 images, [\d,.]+ images/s, in 0:00:0\d", summary)
    assert last == f"regions: {tmp_path / 'a.regions'}"


def test_made_regions_survive_a_signal(done: Done, environment: dict[str, str], tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "00.png").write_bytes(b"no image")
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(photos / "01.png")
    for i in range(2, 60):
        (photos / f"{i:02d}.png").hardlink_to(photos / "01.png")
    flags = ["regions", "make", photos, tmp_path / "a.regions", "--source=felzenszwalb --scales 300"]

    with started([RMAE, *flags, "--num-workers", "1"], env=environment) as process:
        assert process.stdout is not None
        assert next(process.stdout).startswith("skipped 00.png: ")  # so it has begun
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 3
    summary = re.fullmatch(r"rmae: stopped by SIGTERM after (.*); the same command goes on\n", said)
    assert summary is not None
    (number,) = re.findall(r"^regions of (\d+) of 60 images, 1 skipped, ", summary[1])
    assert int(number) < 59
    assert printed.startswith(f"regions of {number} of 60 images, 1 skipped, ")
    assert {path.name for path in tmp_path.iterdir()} >= {"photos", "a.regions.partial"}
    assert not (tmp_path / "a.regions").exists()

    printed = done(*flags)

    assert "regions of 59 of 60 images, 1 skipped, " in printed
    if int(number):  # the signal may have come before the first image was stored
        assert printed.startswith(f"{number} of 60 images are done already\n")
    assert RegionStore(tmp_path / "a.regions").header.num_images == 59
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "a.regions"}
