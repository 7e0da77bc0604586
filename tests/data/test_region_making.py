import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.data.image_set import ImageSet
from rmae.data.images import read_image
from rmae.data.layouts import list_images
from rmae.data.region_making import RegionMaking, make_regions
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.sam_json import SamJson
from rmae.regions.slic import Slic
from rmae.regions.sources import NamedSource
from rmae.regions.store import RegionStore
from rmae.regions.store_lock import StoreBusyError
from rmae.regions.store_writer import PackedRegions, StoreWriter

MakeFolder = Callable[[int], ImageSet]
SEGMENTS = Felzenszwalb(scales=(20, 80), min_sizes=(4, 4))
GRID = RegionMaking(source=Grid(), num_workers=0)
"""Quick, for what does not depend on the source."""


def make(images: ImageSet, path: Path, making: RegionMaking = GRID, *, retry_skipped: bool = True) -> RegionStore:
    store = make_regions(images, path, making, retry_skipped=retry_skipped)
    assert store is not None
    assert store.path == path
    return store


def label_maps(store: RegionStore) -> dict[str, list]:
    return {name: runs.label_maps().tolist() for name, runs in store}


def asked(images: ImageSet, source: NamedSource, *, channels: int = 3) -> dict[str, list]:
    """What the source itself says of all images."""
    return {
        name: source(read_image(images.root / name, channels=channels, max_pixels=10**6), name).tolist()
        for name in images.names
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "a.regions"


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


# Contents


@pytest.mark.parametrize("source", [SEGMENTS, Slic(num_segments=(5, 20)), Grid(rows=2, columns=3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_regions_are_what_the_source_says(source: NamedSource, channels: int, photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    store = make(images, path, RegionMaking(source=source, channels=channels, num_workers=0))
    expected = asked(images, source, channels=channels)
    assert label_maps(store) == expected
    num_regions = sum(len(np.unique(labels)) for maps in expected.values() for labels in maps)
    assert store.header.source == json.loads(json.dumps(vars(source)))
    assert store.header[1:] == (channels, str(images.root), 4, num_regions)
    assert store.skipped() == {}
    assert files(path) == ["a.regions"]


@pytest.mark.parametrize("num_workers", [1, 2, 3, None])
def test_any_number_of_processes_makes_the_same(num_workers: int | None, photo_folder: MakeFolder, path: Path):
    images = photo_folder(18)  # more than one process is handed at once
    (images.root / "07.png").write_text("no image")
    alone = make(images, path.with_name("alone.regions"), RegionMaking(source=SEGMENTS, num_workers=0))
    together = make(images, path, RegionMaking(source=SEGMENTS, num_workers=num_workers))
    assert len(label_maps(together)) == 17
    assert label_maps(together) == label_maps(alone)
    assert together.skipped() == alone.skipped()
    assert together.header == alone.header


def test_images_keep_their_names_in_sub_folders(photo_folder: MakeFolder, path: Path):
    folder = photo_folder(2).root
    (folder / "ä b").mkdir()
    (folder / "01.png").rename(folder / "ä b" / "#1%.png")
    images = list_images(folder)
    assert label_maps(make(images, path)) == asked(images, Grid())
    assert images.names == ("00.png", "ä b/#1%.png")


def test_depth_of_pixels_is_kept(tmp_path: Path, path: Path):
    pixels = np.random.default_rng(0).integers(20_000, 24_000, (20, 30), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    store = make(list_images(tmp_path), path, RegionMaking(source=SEGMENTS, channels=1, num_workers=0))
    assert label_maps(store) == {"a.png": SEGMENTS(pixels[..., None], "").tolist()}


def test_wrong_channels_are_refused_before_anything_is_read():
    with pytest.raises(ValueError, match="image files are read with 1 channel"):
        RegionMaking(source=Grid(), channels=0)


# Images that cannot be used


@pytest.mark.parametrize("num_workers", [0, 2])
def test_images_that_cannot_be_used_are_listed(
    num_workers: int, photo_folder: MakeFolder, path: Path, capsys: pytest.CaptureFixture[str]
):
    images = photo_folder(5)
    (images.root / "01.png").write_text("no image")
    (images.root / "02.png").unlink()
    Image.new("RGB", (40, 40)).save(images.root / "03.png")
    store = make(images, path, RegionMaking(source=Grid(), max_pixels=1000, num_workers=num_workers))
    expected = {
        "01.png": "it is not an image in a form that can be read (JPEG, PNG, WEBP, BMP, TIFF, GIF)",
        "02.png": "the file is missing",
        "03.png": "it has 40 x 40 = 1,600 pixels, more than the 1,000 allowed (max_pixels)",
    }
    assert store.skipped() == expected
    assert store.names() == {"00.png", "04.png"}
    assert store.header.num_images == 2
    said = capsys.readouterr().out.splitlines()
    assert {line for line in said if line.startswith("skipped")} == {
        f"skipped {n}: {why}" for n, why in expected.items()
    }
    assert said[-1].startswith("regions of 2 of 5 images, 3 skipped, ")


def test_images_without_regions_are_listed(photo_folder: MakeFolder, tmp_path: Path, path: Path):
    images = photo_folder(3)
    (tmp_path / "00.json").write_text('{"annotations": []}')
    (tmp_path / "01.json").write_text("{")
    store = make(images, path, RegionMaking(source=SamJson(folder=str(tmp_path)), num_workers=0))
    assert store.names() == {"00.png"}
    assert store.skipped().keys() == {"01.png", "02.png"}
    assert store.skipped()["01.png"].startswith(f"its regions cannot be had: {tmp_path}/01.json is not a mask file")
    assert store.skipped()["02.png"].startswith("its regions cannot be had: there are no masks for this image")


@pytest.mark.parametrize("retry_skipped", [True, False])
def test_what_was_skipped_is_tried_again_or_not(retry_skipped: bool, photo_folder: MakeFolder, path: Path):
    images = photo_folder(4)
    good = (images.root / "01.png").read_bytes()
    for name in ("01.png", "02.png"):
        (images.root / name).write_text("no image")
    first = make(images, path, retry_skipped=retry_skipped)
    assert first.skipped().keys() == {"01.png", "02.png"}
    written = path.stat().st_mtime_ns
    (images.root / "01.png").write_bytes(good)
    second = make(images, path, retry_skipped=retry_skipped)
    assert "01.png" in second.names() if retry_skipped else path.stat().st_mtime_ns == written
    assert second.skipped().keys() == ({"02.png"} if retry_skipped else {"01.png", "02.png"})


@pytest.mark.parametrize("num_workers", [0, 2])
def test_no_usable_image_is_an_error_that_leaves_nothing(num_workers: int, photo_folder: MakeFolder, path: Path):
    images = photo_folder(3)
    for name in images.names:
        (images.root / name).write_text("no image")
    for _ in range(2):
        with pytest.raises(
            ValueError, match=rf"^no image in {images.root} can be used; the first, 00\.png: it is not an image in a fo"
        ):
            make_regions(images, path, RegionMaking(source=Grid(), num_workers=num_workers))
        assert files(path) == []


TOO_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from rmae.data.layouts import list_images
from rmae.data.region_making import RegionMaking, make_regions
from rmae.regions.grid import Grid
images, making = list_images(Path(sys.argv[1])), RegionMaking(source=Grid(), num_workers=0)
make_regions(images._replace(names=("00.png",)), Path(sys.argv[2]), making)
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 50_000_000,) * 2)
make_regions(images, Path(sys.argv[2]), making)
"""


def test_an_image_that_needs_more_memory_than_there_is_is_skipped(photo_folder: MakeFolder, path: Path):
    images = photo_folder(2)
    Image.new("L", (8000, 8000)).save(images.root / "large.png", compress_level=1)
    done = subprocess.run([sys.executable, "-c", TOO_LITTLE_MEMORY, images.root, path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert RegionStore(path).names() == {"00.png", "01.png"}
    assert RegionStore(path).skipped() == {"large.png": "there is not enough memory to read it"}


# Going on


def test_images_added_later_are_made_and_finished_ones_are_not_read_again(
    photo_folder: MakeFolder, path: Path, capsys: pytest.CaptureFixture[str]
):
    first = photo_folder(3)
    expected = asked(photo_folder(6), Grid())
    make(first, path)
    for name in first.names:
        (first.root / name).write_text("no image any more")
    capsys.readouterr()
    store = make(list_images(first.root), path)
    assert label_maps(store) == expected
    assert store.skipped() == {}
    assert store.header.num_images == 6
    assert capsys.readouterr().out.startswith("3 of 6 images are done already\n")
    assert files(path) == ["a.regions"]


def test_a_store_that_lacks_nothing_is_left_alone(photo_folder: MakeFolder, path: Path):
    images = photo_folder(3)
    make(images, path)
    before = path.stat()
    make(images._replace(names=images.names[:2]), path)
    make(images, path, RegionMaking(source=Grid(), num_workers=2))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert label_maps(RegionStore(path)).keys() == set(images.names)


def test_what_an_unfinished_call_made_is_not_made_again(
    photo_folder: MakeFolder, path: Path, capsys: pytest.CaptureFixture[str]
):
    images = photo_folder(5)
    (images.root / "03.png").write_text("no image")
    marked = np.array([[[77]]], dtype=np.int32)
    path.parent.mkdir()
    with StoreWriter(path, GRID.header(images.root)) as writer:
        for name in ("00.png", "01.png"):
            writer.add(PackedRegions.of(name, marked))
        writer.skip("02.png", "torn")
    store = make(images, path, retry_skipped=False)
    expected = asked(images._replace(names=("02.png", "04.png")), Grid())
    assert label_maps(store) == {**expected, "00.png": [[[77]]], "01.png": [[[77]]]}
    assert store.skipped().keys() == {"03.png"}
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 of 5 images are done already"
    assert said[-1].startswith("regions of 4 of 5 images, 1 skipped, ")


def test_regions_of_images_that_are_gone_are_kept(photo_folder: MakeFolder, path: Path):
    images = photo_folder(3)
    make(images, path)
    (images.root / "00.png").unlink()
    shutil.copy(images.root / "01.png", images.root / "new.png")
    assert make(list_images(images.root), path).names() == {"00.png", "01.png", "02.png", "new.png"}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            RegionMaking(source=Grid(rows=5), num_workers=0),
            r"was made with the source \{'rows': 4, .*, not \{'rows': 5",
        ),
        (RegionMaking(source=Slic(), num_workers=0), r"was made with the source \{.*grid.*, not \{.*slic"),
        (RegionMaking(source=Grid(), channels=1, num_workers=0), "was made with the number of channels 3, not 1"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_regions_of_another_source_are_refused_and_kept(
    other: RegionMaking, words: str, finished: bool, photo_folder: MakeFolder, path: Path
):
    images = photo_folder(2)
    path.parent.mkdir()
    with StoreWriter(path, GRID.header(images.root)) as writer:
        writer.add(PackedRegions.of("00.png", np.array([[[77]]], dtype=np.int32)))
        if finished:
            writer.add(PackedRegions.of("01.png", np.array([[[78]]], dtype=np.int32)))
            writer.finish()
    with pytest.raises(ValueError, match=words):
        make_regions(images, path, other)
    assert label_maps(make(images, path))["00.png"] == [[[77]]]


def test_settings_that_are_tuples_are_known_again(photo_folder: MakeFolder, path: Path):
    images = photo_folder(2)
    making = RegionMaking(source=Felzenszwalb(scales=(20, 30.5), min_sizes=(1, 2)), num_workers=0)
    make(images._replace(names=("00.png",)), path, making)
    assert make(images, path, making).names() == {"00.png", "01.png"}


def test_a_damaged_store_is_refused_and_kept(photo_folder: MakeFolder, path: Path):
    images = photo_folder(2)
    make(images, path)
    damaged = path.read_bytes()[:-100]
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="is cut short"):
        make_regions(images, path, GRID)
    assert path.read_bytes() == damaged


def test_a_store_that_another_process_writes_has_to_be_waited_for(photo_folder: MakeFolder, path: Path):
    images = photo_folder(2)
    path.parent.mkdir()
    with StoreWriter(path, GRID.header(images.root)), pytest.raises(StoreBusyError, match=f"is writing {path}; wait"):
        make_regions(images, path, GRID)
    assert len(label_maps(make(images, path))) == 2
