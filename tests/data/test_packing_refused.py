"""Folders and settings that packing refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packed_folders import contents, pack
from rmae.data.image_set import ImageSet
from rmae.data.packing import Packing
from rmae.data.shards import INDEX, SETTINGS
from rmae.regions.grid import Grid
from rmae.regions.inside import Inside
from rmae.regions.live import Live
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.stored import Stored

MakeFolder = Callable[[int], ImageSet]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"short_side": 21}, r"made with short side 256, not 21; pack into another folder, or delete this one$"),
        ({"short_side": None}, r"made with short side 256, not None"),
        ({"quality": 91}, r"made with quality 90, not 91"),
        ({"regions": None}, r"made with regions \{.*'kind': 'grid'.*\}, not None"),
        ({"regions": Grid(rows=9)}, r"made with regions .*'rows': 2.*, not .*'rows': 9"),
        ({"channels": 1}, r"made with channels 3, not 1"),
        ({"images_per_shard": 3}, r"made with images per shard 1000, not 3"),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_other_settings_are_refused(
    settings: dict[str, Any], sentence: str, finished: bool, photo_folder: MakeFolder, tmp_path: Path
):
    images = photo_folder(2)
    pack(images, tmp_path / "packed")
    if not finished:
        (tmp_path / "packed" / INDEX).unlink()
    before = contents(tmp_path / "packed")
    with pytest.raises(ValueError, match=f"the shards in .*packed are {sentence}"):
        pack(images, tmp_path / "packed", **settings)
    assert contents(tmp_path / "packed") == before


def test_other_images_are_refused(photo_folder: MakeFolder, tmp_path: Path):
    pack(photo_folder(2), tmp_path / "packed")
    with pytest.raises(ValueError, match=r"are made with images 2 images, sha256 \w+, not 3 images, sha256 \w+; pack"):
        pack(photo_folder(3), tmp_path / "packed")


@pytest.mark.parametrize("number", [2, 3])
def test_finished_shards_without_their_settings_are_refused(number: int, photo_folder: MakeFolder, tmp_path: Path):
    """Whether or not the images are those of the shards, which nothing says any more."""
    folder = tmp_path / "packed"
    pack(photo_folder(2), folder)
    (folder / SETTINGS).unlink()
    before = contents(folder)
    with pytest.raises(
        ValueError,
        match=rf"^{folder} holds index\.safetensors but no rmae-packing\.json, which says what its shards were packed "
        r"from; bring that file back, pack into another folder, or delete this one$",
    ):
        pack(photo_folder(number), folder)
    assert contents(folder) == before


def test_a_folder_of_something_else_is_refused(photo_folder: MakeFolder, tmp_path: Path):
    images, folder = photo_folder(1), tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"mine holds thesis\.txt, and no shards; choose another folder for them, new"):
        pack(images, folder)
    assert contents(folder) == {"thesis.txt": b"mine"}
    with pytest.raises(ValueError, match=r"photos holds 00\.png, and no shards"):
        pack(images, images.root)
    with pytest.raises(ValueError, match=r"thesis\.txt is a file; choose a folder for the shards"):
        pack(images, folder / "thesis.txt")


@pytest.mark.parametrize("found", ["", "[]", "{}", '"shards"', "{"])
def test_damaged_settings_are_one_sentence(found: str, photo_folder: MakeFolder, tmp_path: Path):
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "rmae-packing.json").write_text(found)
    with pytest.raises(ValueError, match=r"packing\.json does not say how the shards beside it are made \(.*\); pack"):
        pack(photo_folder(1), tmp_path / "packed")


SAM_SENTENCE = "Segment Anything works on a GPU, .* make its regions first"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"short_side": 0}, "short_side is 0; it must be at least 1 pixel, or None"),
        ({"quality": 0}, "quality is 0; it must lie between 1 and 95"),
        ({"quality": 96}, "quality is 96; it must lie between 1 and 95"),
        ({"images_per_shard": 0}, "images_per_shard is 0; it must be at least 1"),
        ({"num_workers": -1}, "num_workers is -1; it must be at least 0, or None"),
        ({"channels": 0}, "image files are read with 1 channel"),
        ({"max_pixels": 0}, "max_pixels is 0"),
        ({"regions": SegmentAnything(checkpoint="sam")}, SAM_SENTENCE),
        ({"regions": Live(source=SegmentAnything(checkpoint="sam"))}, SAM_SENTENCE),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        Packing(**settings)


@pytest.mark.parametrize(
    ("regions", "sentence"),
    [
        (Inside(), "holds files of images, which have no regions inside; name a source of regions"),
        (Stored(path="nowhere"), "there is no region store nowhere; make one with rmae regions make"),
    ],
)
def test_missing_regions_are_told_before_there_is_a_folder(regions: Any, sentence: str, photo_folder, tmp_path: Path):
    with pytest.raises(ValueError, match=sentence):
        pack(photo_folder(1), tmp_path / "packed", regions=regions)
    assert not (tmp_path / "packed").exists()
