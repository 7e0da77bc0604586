import json
from pathlib import Path

import numpy as np
import pytest

from rmae.evaluation.objects.annotations import Category, read_objects


def read(root: Path):
    return read_objects(root / "annotations" / "instances_train2017.json")


def test_objects_are_sorted_by_picture_with_all_that_belongs_to_them(write_coco, rectangle):
    entries = [
        rectangle("b", 1, 2, 5, 6, category=7, area=3.5),
        rectangle("a", 0, 0, 4, 4, category=3, iscrowd=1),
        rectangle("b", 2, 2, 9, 9, category=3),
    ]
    categories = [{"id": 7, "name": "seven", "frequency": "r"}, {"id": 3, "name": "three"}]
    objects, found = read(write_coco(train={"a": (20, 30), "b": (10, 12)}, annotations=entries, categories=categories))
    assert found == (Category(3, "three", None), Category(7, "seven", "r"))
    assert objects.image_ids == ("a", "b")
    assert objects.names == ("a.png", "b.png")
    assert objects.labels.tolist() == [1, 2, 1]
    assert objects.is_crowd.tolist() == [True, False, False]
    assert objects.boxes_xywh.tolist() == [[0, 0, 4, 4], [1, 2, 4, 4], [2, 2, 7, 7]]
    assert objects.areas.tolist() == [16, 3.5, 49]
    assert objects.counts_by_category(2).tolist() == [1, 1]
    assert objects.counts_by_picture().tolist() == [0, 2]


def test_masks_of_every_form_are_drawn(write_coco, rectangle):
    plain = {"size": [4, 5], "counts": [4, 2, 2, 2, 10]}  # rows 0 and 1 of columns 1 and 2
    entries = [
        rectangle("a", 1, 0, 3, 2),
        rectangle("a", 1, 0, 3, 2, segmentation=plain),
        rectangle("a", 1, 0, 3, 2, segmentation={"size": [4, 5], "counts": "4220o0"}),
    ]
    from pycocotools import mask as coco_mask

    whole = np.zeros((4, 5), np.uint8, order="F")
    whole[:2, 1:3] = 1
    entries[2]["segmentation"]["counts"] = coco_mask.encode(whole)["counts"].decode()
    objects, _ = read(write_coco(train={"a": (4, 5)}, annotations=entries))
    drawn = objects.draw(0)
    assert [number for number, _ in drawn] == [0, 1, 2]
    for _, mask in drawn:
        assert (mask.top, mask.left, mask.pixels.tolist()) == (0, 1, [[True, True], [True, True]])


def test_boxes_and_areas_may_be_left_out(write_coco, rectangle):
    entry = rectangle("a", 1, 1, 3, 3)
    del entry["bbox"], entry["area"]
    objects, _ = read(write_coco(train={"a": (4, 5)}, annotations=[entry]))
    assert np.isnan(objects.boxes_xywh).all()
    assert np.isnan(objects.areas).all()
    assert objects.is_usable.tolist() == [True]


def test_masks_are_cut_at_the_edge_of_the_picture(write_coco, rectangle):
    objects, _ = read(write_coco(train={"a": (8, 8)}, annotations=[rectangle("a", -3, 5, 4, 12)]))
    ((_, mask),) = objects.draw(0)
    assert (mask.top, mask.left, mask.pixels.shape) == (5, 0, (3, 4))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"segmentation": []}, "without a mask"),
        ({"segmentation": [[1, 1, 2, 2]]}, "with a malformed polygon"),
        ({"segmentation": [[1, 1, 2, 2, 3, 3, 4]]}, "with a malformed polygon"),
        ({"segmentation": [[1, 1, 2, 2, 3, float("nan")]]}, "with a malformed polygon"),
        ({"segmentation": [[1, 1, 1, 5, 1, 3]]}, "without an area"),
        ({"bbox": [1, 1, 0, 4]}, "without an area"),
        ({"bbox": [1, 1, 4, -1]}, "without an area"),
        ({"bbox": [31, 1, 4, 4]}, "outside of their picture"),
        ({"bbox": [-float("inf"), 1, float("inf"), 4]}, "outside of their picture"),
        ({"bbox": [-5, 1, 5, 4]}, "outside of their picture"),
        ({"segmentation": [[40, 1, 44, 1, 44, 5]]}, "outside of their picture"),
        ({"segmentation": [[1, -8, 4, -8, 4, -1]]}, "outside of their picture"),
        ({"segmentation": [[1, 1, 5, 1, 900, 5]]}, "outside of their picture"),
    ],
)
def test_objects_that_cannot_be_used_are_left_out_and_counted(write_coco, rectangle, more, fault):
    entries = [rectangle("a", 1, 1, 5, 5), rectangle("a", 1, 1, 5, 5) | more, rectangle("a", 2, 2, 5, 5)]
    objects, _ = read(write_coco(train={"a": (20, 30)}, annotations=entries))
    assert objects.is_usable.tolist() == [True, False, True]
    assert objects.faults == {fault: 1}
    assert [number for number, _ in objects.draw(0)] == [0, 2]


def test_polygons_are_told_apart_in_objects_with_several(write_coco, rectangle):
    two = [[1, 1, 3, 1, 3, 3], [40, 40, 44, 40, 44, 44]]  # only the second is outside
    bad = [[1, 1, 3, 1, 3, 3], [1, 1]]
    entries = [rectangle("a", 1, 1, 3, 3, segmentation=part) for part in (two, bad)]
    objects, _ = read(write_coco(train={"a": (20, 30)}, annotations=entries))
    assert objects.is_usable.tolist() == [True, False]


def test_empty_run_lengths_are_no_objects(write_coco, rectangle):
    empty = {"size": [4, 5], "counts": [20]}
    objects, _ = read(write_coco(train={"a": (4, 5)}, annotations=[rectangle("a", 1, 1, 3, 3, segmentation=empty)]))
    assert objects.draw(0) == []


def test_malformed_run_lengths_are_explained(write_coco, rectangle):
    entry = rectangle("a", 1, 1, 3, 3, segmentation={"size": [5, 4], "counts": [20]})
    objects, _ = read(write_coco(train={"a": (4, 5)}, annotations=[entry]))
    with pytest.raises(ValueError, match=r"an object of a\.png in .*json cannot be used: .*has the size \[5, 4\]"):
        objects.draw(0)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"category_id": 9}, "has an annotation with the category_id 9, which its 'categories' do not list"),
        ({"category_id": 10**30}, "has an annotation with the category_id 1000000000000000000000000000000, which"),
        ({"category_id": None}, "annotation 1 has the category_id None; it must be an integer"),
        ({"bbox": [1, 2, 3]}, r"annotation 1 has the bbox \[1, 2, 3\]; it must be x, y, width and height"),
        ({"bbox": "1234"}, "annotation 1 has the bbox '1234'"),
        ({"area": "large"}, "annotation 1 has the area 'large'; it must be a number of pixels"),
        ({"bbox": [10**400, 1, 1, 1]}, "annotation 1 has a number that is absurdly large"),
        ({"image_id": "z"}, "has an annotation of the image with id 'z', which its 'images' do not list"),
    ],
)
def test_wrong_annotations_are_explained(write_coco, rectangle, more, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 1, 1, 5, 5) | more]))


@pytest.mark.parametrize(
    ("categories", "sentence"),
    [
        (None, "has no list 'categories'"),
        ([], "has no list 'categories'"),
        ([{"id": 1}], "has a category that is no object with an id, a name"),
        ([{"id": 1, "name": "one", "frequency": "x"}], "at most a frequency of r, c or f"),
        ([{"id": 1, "name": "one"}, {"id": 1, "name": "two"}], "lists two categories with the id 1"),
        ([{"id": 1, "name": "one"}, {"id": 1, "name": "one", "frequency": "r"}], "lists two categories with the id 1"),
    ],
)
def test_wrong_categories_are_explained(write_coco, rectangle, categories, sentence):
    root = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 1, 1, 5, 5)])
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text()) | {"categories": categories}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=sentence):
        read(root)
