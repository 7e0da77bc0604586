import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rmae.regions.coco_json import CocoImage, list_images, read_coco_file

IMAGE = {"id": 7, "file_name": "a.jpg", "height": 3, "width": 4}


class Mark(NamedTuple):
    value: object


def parse(found: dict[str, Any]) -> Mark:
    if found["mark"] == "bad":
        raise ValueError("there is a bad mark")
    return Mark(found["mark"])


def write(folder: Path, content: object) -> str:
    path = folder / "a.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_images_and_annotations_come_in_order(tmp_path: Path):
    images = [IMAGE, IMAGE | {"id": "b", "file_name": "./folder/b.jpg"}]
    path = write(tmp_path, {"info": {}, "images": images, "annotations": [{"mark": 2}, {"mark": 1}]})
    assert read_coco_file(path, "mark", parse) == (
        path,
        [CocoImage(7, "a.jpg", 3, 4), CocoImage("b", "folder/b.jpg", 3, 4)],
        [Mark(2), Mark(1)],
        None,
    )


def test_images_of_lvis_are_named_by_their_address(tmp_path: Path):
    image = {
        "id": 7, "height": 3, "width": 4, "coco_url": "http://images.cocodataset.org/val2017/000000000007.jpg",
        "neg_category_ids": [3, 1], "not_exhaustive_category_ids": [2],
    }  # fmt: skip
    categories = [{"id": 1, "name": "cup"}]
    file = read_coco_file(write(tmp_path, {"images": [image], "annotations": [], "categories": categories}), "x", parse)
    assert file.images == [CocoImage(7, "val2017/000000000007.jpg", 3, 4, (3, 1), (2,))]
    assert file.categories == categories


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_any_encoding_of_json_is_read(tmp_path: Path, encoding: str):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": [IMAGE], "annotations": []}), encoding=encoding)
    assert read_coco_file(str(path), "mark", parse).images == [CocoImage(7, "a.jpg", 3, 4)]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("\x00", "Expecting value"),
        ("[" * 100_000, "recursion"),
        ([], "it has no list 'images'"),
        (7, "it has no list 'images'"),
        ({"mark": 1}, "it has no list 'images'"),
        ({"annotations": []}, "it has no list 'images'"),
        ({"images": {}, "annotations": []}, "it has no list 'images'"),
        ({"images": []}, "it has no list 'annotations'"),
        ({"images": [], "annotations": None}, "it has no list 'annotations'"),
        ({"images": [], "annotations": [{}]}, "an entry of 'annotations' is no object with 'mark': {}"),
        ({"images": [], "annotations": [[1]]}, r"an entry of 'annotations' is no object with 'mark': \[1\]"),
        ({"images": [], "annotations": [{"mark": "bad"}]}, "there is a bad mark"),
        ({"images": [7], "annotations": []}, "an entry of 'images' is no object with an id"),
        ({"images": [{"mark": 1}], "annotations": []}, "an entry of 'images' is no object with an id"),
        ({"images": [IMAGE | {"id": None}], "annotations": []}, "no object with an id, a file_name, and a height"),
        ({"images": [IMAGE | {"file_name": 3}], "annotations": []}, "'file_name': 3"),
        ({"images": [IMAGE | {"file_name": ""}], "annotations": []}, "'file_name': ''"),
        ({"images": [IMAGE | {"height": 3.5}], "annotations": []}, "'height': 3.5"),
        ({"images": [IMAGE | {"height": 0}], "annotations": []}, "a height and width of at least 1: .*'height': 0"),
        ({"images": [IMAGE | {"width": -4}], "annotations": []}, "'width': -4"),
        ({"images": [IMAGE | {"width": 10**30}], "annotations": []}, "a height and width of at least 1"),
        ({"images": [IMAGE, IMAGE], "annotations": []}, "two images have the id 7"),
        (
            {"images": [{"id": 7, "coco_url": "a.jpg", "height": 3, "width": 4}], "annotations": []},
            "no object with an id",
        ),
        (
            {"images": [IMAGE | {"neg_category_ids": 3}], "annotations": []},
            "neg_category_ids of the image 7 is no list",
        ),
    ],
)
def test_other_files_are_explained(tmp_path: Path, content: object, fault: str):
    with pytest.raises(ValueError, match=rf"a\.json is not an annotation file in COCO's form: .*{fault}"):
        read_coco_file(write(tmp_path, content), "mark", parse)


def test_bytes_that_are_no_text_are_explained(tmp_path: Path):
    (tmp_path / "a.json").write_bytes(b'{"images": "\xff\xfe\xff"}')
    with pytest.raises(ValueError, match=r"a\.json is not an annotation file in COCO's form"):
        read_coco_file(str(tmp_path / "a.json"), "mark", parse)


@pytest.mark.parametrize(("name", "reason"), [("b.json", "No such file"), (".", "Is a directory")])
def test_files_that_cannot_be_opened_are_named(tmp_path: Path, name: str, reason: str):
    with pytest.raises(ValueError, match=rf"the annotations .*{tmp_path.name}.* cannot be read \({reason}"):
        read_coco_file(str(tmp_path / name), "mark", parse)


def test_images_of_several_files_are_one_list(tmp_path: Path):
    first = read_coco_file(write(tmp_path, {"images": [IMAGE], "annotations": []}), "mark", parse)
    images = [IMAGE | {"file_name": "b.jpg", "height": 9}]
    second = read_coco_file(write(tmp_path, {"images": images, "annotations": []}), "mark", parse)
    listed = list_images([first, second])
    assert listed.rows == {"a.jpg": 0, "b.jpg": 1}
    assert listed.sizes_hw.tolist() == [[3, 4], [9, 4]]


def test_an_image_listed_twice_is_refused(tmp_path: Path):
    file = read_coco_file(write(tmp_path, {"images": [IMAGE], "annotations": []}), "mark", parse)
    with pytest.raises(ValueError, match=r"a\.json lists a\.jpg although it is already listed; list each image once"):
        list_images([file, file])
