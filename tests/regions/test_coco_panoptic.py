import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from rmae.regions.coco_panoptic import CocoPanoptic

IMAGE = np.zeros((2, 3, 3), np.uint8)
IDS = [[0, 70_000, 70_000], [300, 300, 5]]
SEGMENTS = [{"id": 300, "iscrowd": 0}, {"id": 5, "iscrowd": 1}, {"id": 70_000, "iscrowd": 0}]


def annotate(folder: Path, *, ids: Any = IDS, segments: list[Any] = SEGMENTS, png_folder: str = "panoptic") -> str:
    """Write `panoptic.json` with 1.jpg, which is annotated, and 2.jpg, which is not."""
    images = [{"id": i, "file_name": f"{i}.jpg", "height": 2, "width": 3} for i in (1, 2)]
    annotation = {"image_id": 1, "file_name": "1.png", "segments_info": segments}
    (folder / "panoptic.json").write_text(json.dumps({"images": images, "annotations": [annotation]}))
    (folder / png_folder).mkdir()
    numbers = np.array(ids)
    rgb = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(folder / png_folder / "1.png")
    return str(folder / "panoptic.json")


@pytest.mark.parametrize(("crowds", "expected"), [(False, [[-1, 1, 1], [0, 0, -1]]), (True, [[-1, 2, 2], [0, 0, 1]])])
def test_labels_follow_the_order_of_the_file(tmp_path: Path, crowds: bool, expected: list[list[int]]):
    maps = CocoPanoptic(annotations=annotate(tmp_path), crowds=crowds)(IMAGE, "val2017/1.jpg")
    np.testing.assert_array_equal(maps, np.array([expected], dtype=np.int32), strict=True)


def test_pngs_may_lie_elsewhere(tmp_path: Path):
    path = annotate(tmp_path, png_folder="elsewhere")
    assert CocoPanoptic(annotations=path, folder=str(tmp_path / "elsewhere"))(IMAGE, "1.jpg").max() == 1


def test_a_segment_without_pixels_keeps_its_label(tmp_path: Path):
    segments = [{"id": 9}, {"id": 300}, {"id": 5}, {"id": 70_000}]
    maps = CocoPanoptic(annotations=annotate(tmp_path, segments=segments))(IMAGE, "1.jpg")
    np.testing.assert_array_equal(maps, [[[-1, 3, 3], [1, 1, 2]]])


@pytest.mark.parametrize("id_", [0, 5])
def test_an_image_with_nothing_left_has_no_maps(tmp_path: Path, id_: int):
    path = annotate(tmp_path, ids=np.full((2, 3), id_))
    maps = CocoPanoptic(annotations=path)(IMAGE, "1.jpg")
    assert (maps.shape, maps.dtype) == ((0, 2, 3), np.int32)


@pytest.mark.parametrize("unknown", [1, 6, 299, 301, 70_001, 2**24 - 1])
def test_ids_that_the_file_does_not_list_are_refused(tmp_path: Path, unknown: int):
    path = annotate(tmp_path, ids=[[300, 5, 70_000], [0, unknown, 0]])
    with pytest.raises(ValueError, match=rf"1\.png holds the segment {unknown}, which the JSON file does not list"):
        CocoPanoptic(annotations=path)(IMAGE, "1.jpg")


def test_ids_without_any_segment_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"1\.png holds the segment 70000"):
        CocoPanoptic(annotations=annotate(tmp_path, segments=[]))(IMAGE, "1.jpg")


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (Image.new("RGB", (2, 3)), "3 x 2 pixels of mode RGB"),
        (Image.new("RGB", (5, 2)), "2 x 5 pixels of mode RGB"),
        (Image.new("L", (3, 2)), "2 x 3 pixels of mode L"),
        (Image.new("RGBA", (3, 2)), "2 x 3 pixels of mode RGBA"),
        (Image.new("P", (3, 2)), "2 x 3 pixels of mode P"),
        (Image.new("I;16", (3, 2)), "2 x 3 pixels of mode I;16"),
    ],
)
def test_pngs_of_another_form_are_refused(tmp_path: Path, picture: Image.Image, found: str):
    path = annotate(tmp_path)
    picture.save(tmp_path / "panoptic" / "1.png")
    with pytest.raises(ValueError, match=rf"1\.png has {found}; it must have 2 x 3, as its image, of mode RGB"):
        CocoPanoptic(annotations=path)(IMAGE, "1.jpg")


def test_pngs_that_cannot_be_read_are_named(tmp_path: Path):
    path = annotate(tmp_path)
    png = tmp_path / "panoptic" / "1.png"
    content = png.read_bytes()
    png.write_bytes(content[:50])
    with pytest.raises(ValueError, match=r"1\.png cannot be decoded"):
        CocoPanoptic(annotations=path)(IMAGE, "1.jpg")
    Image.new("RGB", (3, 2)).save(png, "JPEG")
    with pytest.raises(ValueError, match=r"1\.png is not a PNG file"):
        CocoPanoptic(annotations=path)(IMAGE, "1.jpg")
    png.unlink()
    with pytest.raises(ValueError, match=r"the segments of this image are missing: there is no .*1\.png"):
        CocoPanoptic(annotations=path)(IMAGE, "1.jpg")


def test_images_that_cannot_be_looked_up_are_explained(tmp_path: Path):
    source = CocoPanoptic(annotations=annotate(tmp_path))
    with pytest.raises(ValueError, match=r"panoptic\.json has no annotation of 2\.jpg, although it lists the image"):
        source(IMAGE, "2.jpg")
    with pytest.raises(ValueError, match=r"3\.jpg is not listed in .*panoptic\.json"):
        source(IMAGE, "3.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg has 3 x 2 pixels \(height x width\), but 2 x 3 in"):
        source(IMAGE.transpose(1, 0, 2), "1.jpg")


def test_the_json_file_is_read_once(tmp_path: Path):
    source = CocoPanoptic(annotations=annotate(tmp_path))
    source.prepare()
    (tmp_path / "panoptic.json").unlink()
    assert len(source(IMAGE, "1.jpg")) == 1
    with pytest.raises(ValueError, match=r"the annotations .*panoptic\.json cannot be read"):
        CocoPanoptic(annotations=str(tmp_path / "panoptic.json")).prepare()


def test_what_was_read_is_no_part_of_the_settings(tmp_path: Path):
    path = annotate(tmp_path)
    prepared, fresh = CocoPanoptic(annotations=path), CocoPanoptic(annotations=path)
    prepared.prepare()
    assert prepared == fresh
    assert hash(prepared) == hash(fresh)
    assert repr(prepared) == repr(fresh)
    assert pickle.dumps(prepared) == pickle.dumps(fresh)
    settings = {"annotations": path, "folder": None, "crowds": False, "kind": "coco-panoptic"}
    assert TypeAdapter(CocoPanoptic).dump_python(prepared) == settings


def test_the_folder_is_needed_where_the_name_of_the_file_does_not_give_it():
    with pytest.raises(
        ValueError, match=r"annotations 'a\.txt' does not end in \.json; give the folder of the PNGs too"
    ):
        CocoPanoptic(annotations="a.txt")
    assert CocoPanoptic(annotations="a.txt", folder="b").folder == "b"
