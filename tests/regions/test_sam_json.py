import json
from pathlib import Path

import numpy as np
import pytest

from rmae.regions.sam_json import SamJson

IMAGE = np.zeros((2, 3, 3), np.uint8)


def write(folder: Path, name: str, masks: list[dict]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"image": {}, "annotations": [{"segmentation": mask, "area": 1} for mask in masks]}))


def test_masks_are_looked_up_by_name(tmp_path: Path):
    write(tmp_path, "a/b.json", [{"size": [2, 3], "counts": "33"}, {"size": [2, 3], "counts": [0, 2, 4]}])
    maps = SamJson(folder=str(tmp_path))(IMAGE, "a/b.jpg")
    np.testing.assert_array_equal(maps, [[[1, -1, 0], [1, 0, 0]]])
    assert maps.dtype == np.int32


def test_overlapping_masks_stand_in_different_maps(tmp_path: Path):
    write(tmp_path, "a.json", [{"size": [2, 3], "counts": "33"}, {"size": [2, 3], "counts": "06"}])
    maps = SamJson(folder=str(tmp_path))(IMAGE, "a.jpg")
    np.testing.assert_array_equal(maps, [[[-1, -1, 0], [-1, 0, 0]], [[0, 0, 0], [0, 0, 0]]])


def test_an_image_without_masks_has_no_maps(tmp_path: Path):
    write(tmp_path, "a.json", [])
    assert SamJson(folder=str(tmp_path))(IMAGE, "a.jpg").shape == (0, 2, 3)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"there are no masks for this image: .*a\.b\.json is missing"):
        SamJson(folder=str(tmp_path))(IMAGE, "a.b.jpg")


def test_masks_of_another_size_are_refused(tmp_path: Path):
    write(tmp_path, "a.json", [{"size": [3, 2], "counts": "06"}])
    with pytest.raises(ValueError, match=r"a\.json holds masks of size \(3, 2\), but the image has 2 x 3 pixels"):
        SamJson(folder=str(tmp_path))(IMAGE, "a.jpg")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "\xff",
        "[" * 100_000,
        "[]",
        "7",
        '{"annotations": 7}',
        '{"annotations": [{}]}',
        '{"annotations": [{"segmentation": []}]}',
        '{"annotations": [{"segmentation": {"size": 3, "counts": "06"}}]}',
    ],
)
def test_other_files_are_explained(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json is not a mask file in the SA-1B form"):
        SamJson(folder=str(tmp_path))(IMAGE, "a.jpg")


def test_a_size_that_is_equal_but_no_integer_does_no_harm(tmp_path: Path):
    write(tmp_path, "a.json", [{"size": [2.0, 3.0], "counts": "33"}])
    assert SamJson(folder=str(tmp_path))(IMAGE, "a.jpg").max() == 0


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(ValueError, match=r"a\.json cannot be read \(Is a directory\)"):
        SamJson(folder=str(tmp_path))(IMAGE, "a.jpg")


def test_broken_runs_name_the_file(tmp_path: Path):
    write(tmp_path, "a.json", [{"size": [2, 3], "counts": "11"}])
    with pytest.raises(ValueError, match=r"a\.json: .* do not fill it exactly"):
        SamJson(folder=str(tmp_path))(IMAGE, "a.jpg")
