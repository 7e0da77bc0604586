"""Packing in one process or many; killed and shared packing has a file of its own."""

import multiprocessing
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tifffile import imwrite

from packed_folders import contents, pack
from rmae.data.crops import Crop, crop_image, sample_positions
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.packing import Packing, pack_images
from rmae.data.region_making import RegionMaking, make_regions
from rmae.data.shards import Shards
from rmae.data.share import Share
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.live import Live
from rmae.regions.stored import Stored

MakeFolder = Callable[[int], ImageSet]


def label_maps(shards: Shards) -> dict[str, Any]:
    return {name: shards.regions(name).label_maps().tolist() for name in shards.names}


def suffixes(folder: Path) -> list[str]:
    """What the images in the first shard end in."""
    with tarfile.open(folder / "shard-000000.tar") as tar:
        names = [Path(name).suffix for name in tar.getnames()]
    return [suffix for suffix in names if suffix not in (".json", ".regions")]


def pixels_of(images: ImageSet, name: str, channels: int = 3) -> np.ndarray:
    return images.read(name, channels=channels, max_pixels=10**7)


def as_set(shards: Shards) -> ImageSet:
    return ImageSet(shards.folder, shards.names, shards)


# What is packed


@pytest.fixture
def bands(tmp_path: Path) -> Callable[..., ImageSet]:
    """Writes a folder of one lossless image of 41 x 60 pixels."""

    def write(num_bands: int, dtype: type) -> ImageSet:
        folder = tmp_path / "bands"
        folder.mkdir()
        shape = (41, 60, num_bands)
        pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
        if num_bands > 4 or (dtype == np.uint16 and num_bands > 1):
            imwrite(folder / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
        else:
            Image.fromarray(pixels.squeeze(2) if num_bands == 1 else pixels).save(folder / "a.png")
        return list_images(folder)

    return write


KINDS = [(4, np.uint8, "png"), (1, np.uint16, "png"), (5, np.uint8, "tif"), (13, np.uint16, "tif")]


@pytest.mark.parametrize(("num_bands", "dtype", "suffix"), KINDS)
@pytest.mark.parametrize("short_side", [None, 41, 20])
def test_images_and_regions_are_resized_alike(
    num_bands: int, dtype: type, suffix: str, short_side: int | None, bands: Callable[..., ImageSet], tmp_path: Path
):
    images = bands(num_bands, dtype)
    original = pixels_of(images, images.names[0], num_bands)
    shards = pack(images, tmp_path / "packed", channels=num_bands, short_side=short_side)
    assert suffixes(tmp_path / "packed") == [f".{suffix}"]
    size_hw = (20, 29) if short_side == 20 else (41, 60)
    whole = Crop(0, 0, 41, 60, False)
    expected = original if short_side != 20 else crop_image(original, whole, size_hw).transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels_of(as_set(shards), shards.names[0], num_bands), expected, strict=True)
    rows, columns = sample_positions(whole, size_hw)
    regions = Grid(rows=2, columns=3)(original, "")[:, rows[:, None], columns]
    np.testing.assert_array_equal(shards.regions(shards.names[0]).label_maps(), regions, strict=True)


@pytest.mark.parametrize("grey", [False, True])
def test_a_jpeg_is_close_to_a_plain_resize(grey: bool, tmp_path: Path):
    """Though it is decoded at a fraction of its size."""
    rows, columns = np.mgrid[:803, :1001]
    waves = [127 + 120 * np.sin(rows / (90 + 30 * i) + columns / 130) for i in range(3)]
    pixels = np.stack(waves, axis=-1).astype(np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).convert("L" if grey else "RGB").save(tmp_path / "photos" / "a.jpg", quality=95)
    images = list_images(tmp_path / "photos")
    channels = 1 if grey else 3
    shards = pack(images, tmp_path / "packed", short_side=100, quality=95, channels=channels)
    found = pixels_of(as_set(shards), "a.jpg", channels)
    assert found.shape == (100, 125, channels)
    original = pixels_of(images, "a.jpg", channels)
    expected = crop_image(original, Crop(0, 0, 803, 1001, False), (100, 125)).transpose(1, 2, 0).astype(int)
    assert np.abs(found - expected).max() <= 12
    assert np.abs(found - expected).mean() < 2
    assert suffixes(tmp_path / "packed") == [".jpg"]


def test_what_a_fraction_of_the_size_leaves_is_left_out_of_image_and_regions(tmp_path: Path):
    rows, columns = np.mgrid[:807, :1007]
    pixels = (127 + 120 * np.sin(rows / 40 + columns / 60))[..., None].repeat(3, axis=-1).astype(np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photos" / "a.jpg", quality=95)
    images, grid = list_images(tmp_path / "photos"), Grid(rows=7, columns=9)
    make_regions(images, tmp_path / "a.regions", RegionMaking(source=grid, num_workers=0), share=Share(0, 1))
    stored = Stored(path=str(tmp_path / "a.regions"))
    shards = pack(images, tmp_path / "packed", regions=stored, short_side=100, quality=95)
    with images.open("a.jpg", channels=3, max_pixels=10**7) as image:
        expected = image.pixels(8)[:100, :125]  # nothing is left to resize
    found = pixels_of(as_set(shards), "a.jpg")
    assert np.abs(found.astype(int) - expected).max() <= 6
    rows, columns = sample_positions(Crop(0, 0, 800, 1000, False), (100, 125))
    regions = grid(pixels, "a.jpg")[:, rows[:, None], columns]
    np.testing.assert_array_equal(shards.regions("a.jpg").label_maps(), regions)


def test_small_images_keep_their_size(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(5)
    sizes = {}
    for short_side in (22, None):
        shards = as_set(pack(images, tmp_path / str(short_side), short_side=short_side))
        sizes[short_side] = [pixels_of(shards, name).shape[:2] for name in shards.names]
    assert sizes == {22: [(20, 30), (21, 30), (22, 30), (22, 29), (22, 28)], None: [(20 + i, 30) for i in range(5)]}


@pytest.mark.parametrize("rows", [1, 3])
def test_a_thin_image_keeps_a_pixel(rows: int, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (700, rows)).save(tmp_path / "photos" / "a.png")
    shards = pack(list_images(tmp_path / "photos"), tmp_path / "packed", short_side=1)
    assert pixels_of(as_set(shards), "a.png").shape == (1, round(700 / rows), 3)
    assert shards.regions("a.png").label_maps().shape == (1, 1, round(700 / rows))


def test_images_alone_can_be_packed(photo_folder: MakeFolder, tmp_path: Path):
    shards = pack(photo_folder(2), tmp_path / "packed", regions=None)
    assert shards.region_settings is None
    with tarfile.open(tmp_path / "packed" / "shard-000000.tar") as tar:
        assert [Path(name).suffix for name in tar.getnames()] == [".jpg", ".json"] * 2


def test_regions_that_need_the_pixels_see_those_of_full_size(photo_folder: MakeFolder, tmp_path: Path):
    images, source = photo_folder(2), Felzenszwalb(scales=(20, 80))
    shards = pack(images, tmp_path / "packed", short_side=10, regions=source)
    for name in images.names:
        original = pixels_of(images, name)
        size_hw = pixels_of(as_set(shards), name).shape[:2]
        rows, columns = sample_positions(Crop(0, 0, *original.shape[:2], False), size_hw)
        expected = source(original, name)[:, rows[:, None], columns]
        np.testing.assert_array_equal(shards.regions(name).label_maps(), expected)


def own_source(image: np.ndarray, name: str) -> np.ndarray:
    return np.full((1, *image.shape[:2]), int(name[:2]), dtype=np.int32)


def test_shards_say_how_they_were_made(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(2)
    header = pack(images, tmp_path / "a", short_side=21, quality=80).index.header
    regions = {"kind": "grid", "rows": 2, "columns": 3}
    assert header == {"short_side": 21, "quality": 80, "channels": 3, "regions": regions}
    own = pack(images, tmp_path / "b", regions=own_source)
    assert own.region_settings is not None
    assert own.region_settings["kind"] == "own"
    assert "own_source" in own.region_settings["description"]
    assert np.unique(own.regions("01.png").label_maps()).tolist() == [1]
    assert pack(images, tmp_path / "c", regions=Live(source=Grid(rows=2, columns=3))).region_settings == regions


# The same whoever packs


@pytest.mark.parametrize("images_per_shard", [2, 1000])
def test_any_number_of_workers_gives_the_same_bytes(images_per_shard: int, photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(5)
    (images.root / "02.png").write_text("no image")
    settings = {"images_per_shard": images_per_shard, "regions": Felzenszwalb(scales=(20,))}
    for num_workers in (0, 1, 3):
        pack(images, tmp_path / str(num_workers), num_workers=num_workers, **settings)
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "3")
    num_shards = 3 if images_per_shard == 2 else 1
    shards = {f"shard-{shard:06d}.tar" for shard in range(num_shards)}
    assert contents(tmp_path / "0").keys() == {"rmae-packing.json", "index.safetensors", *shards}


def test_what_is_packed_is_left_alone(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(3)
    pack(images, tmp_path / "packed")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "packed").iterdir()}
    (images.root / "00.png").write_text("no image any more")
    assert pack(images, tmp_path / "packed").names == images.names
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "packed").iterdir()} == before


@pytest.mark.slow
def test_shares_that_begin_and_end_at_once_make_one_index(photo_folder: MakeFolder, tmp_path: Path):
    images = photo_folder(3)
    packing = Packing(num_workers=0, regions=Grid(rows=2, columns=3), images_per_shard=1)
    pack(images, tmp_path / "alone", images_per_shard=1)
    context = multiprocessing.get_context("fork")
    for again in range(10):
        start = context.Barrier(3)

        def pack_share(rank: int, folder: Path = tmp_path / str(again), start: Any = start) -> None:
            start.wait()
            pack_images(images, folder, packing, share=Share(rank, 3))

        ranks = [context.Process(target=pack_share, args=(rank,)) for rank in range(3)]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join()
        assert [rank.exitcode for rank in ranks] == [0, 0, 0]
        assert contents(tmp_path / str(again)) == contents(tmp_path / "alone")


def test_what_a_kill_left_before_the_first_shard_or_after_the_last_is_no_hindrance(
    photo_folder: MakeFolder, tmp_path: Path
):
    images, folder = photo_folder(2), tmp_path / "packed"
    folder.mkdir()
    for name in (".rmae-packing.json.partial", ".rmae-packing.json.lock"):
        (folder / name).write_text("{")
    expected = contents(pack(images, tmp_path / "alone").folder)
    pack(images, folder)
    (folder / ".rmae-packing.json.partial").unlink(missing_ok=True)
    assert contents(folder) == expected
    for name in ("shard-000000.index", "shard-000000.lock"):
        (folder / name).touch()
    pack(images, folder)
    assert contents(folder) == expected


# Images that cannot be used


@pytest.mark.parametrize("num_workers", [0, 2])
def test_images_that_cannot_be_used_are_listed(
    num_workers: int, photo_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    images = photo_folder(6)
    (images.root / "00.png").write_text("no image")
    (images.root / "01.png").unlink()
    (images.root / "02.png").write_bytes((images.root / "02.png").read_bytes()[:500])
    settings = {"images_per_shard": 2, "num_workers": num_workers, "max_pixels": 720}
    shards = pack(images, tmp_path / "packed", **settings)  # in the first shard is nothing, and in the last one half
    assert shards.names == ("03.png", "04.png")
    reasons = dict(shards.index.skipped)
    assert list(reasons) == ["00.png", "01.png", "02.png", "05.png"]
    assert reasons["00.png"].startswith("it is not an image in a form that can be read")
    assert reasons["01.png"] == "the file is missing"
    assert reasons["02.png"].startswith("it cannot be decoded")
    assert reasons["05.png"] == "it has 30 x 25 = 750 pixels, more than the 720 allowed (max_pixels)"
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("skipped ")] == [
        f"skipped {name}: {reason}" for name, reason in reasons.items()
    ]
    assert said[-1].startswith("packed 2 of 6 images, 4 skipped, ")


def test_images_whose_regions_cannot_be_had_are_listed(photo_folder: MakeFolder, tmp_path: Path):
    def fails(image: np.ndarray, name: str) -> np.ndarray:
        if name == "00.png":
            raise ValueError("there are none")
        return own_source(image, name)

    shards = pack(photo_folder(2), tmp_path / "packed", regions=fails)
    assert shards.names == ("01.png",)
    assert shards.index.skipped == (("00.png", "its regions cannot be had: there are none"),)


@pytest.mark.parametrize("images_per_shard", [1, 2, 1000])
@pytest.mark.parametrize("linked", [False, True])
def test_where_nothing_can_be_used_the_folder_is_removed(
    images_per_shard: int, linked: bool, photo_folder: MakeFolder, tmp_path: Path
):
    images, folder = photo_folder(3), tmp_path / "packed"
    if linked:
        (tmp_path / "disk").mkdir()
        folder.symlink_to(tmp_path / "disk")
    for name in images.names:
        (images.root / name).write_text("no image")
    with pytest.raises(ValueError, match=r"^no image in .*photos can be used; the first, 00\.png: it is not an image"):
        pack(images, folder, images_per_shard=images_per_shard)
    assert list(folder.iterdir()) == [] if linked else not folder.exists()
