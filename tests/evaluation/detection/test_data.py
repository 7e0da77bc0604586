import pickle
from dataclasses import replace

import pytest

from rmae.config.detection import DetectConfig
from rmae.evaluation.detection.data import open_data

COCO = DetectConfig()
LVIS = DetectConfig(layout="lvis")


def test_pictures_without_objects_are_trained_on_only_where_asked_for(write_coco, rectangle):
    entries = [rectangle("b", 1, 1, 5, 5), rectangle("c", 1, 1, 5, 5, iscrowd=1), rectangle("d", 1, 1, 1, 5)]
    root = write_coco(train={id_: (20, 30) for id_ in "abcd"}, annotations=entries)
    data = open_data(COCO, root)
    assert data.train_rows.tolist() == [1]  # neither the empty one, nor the crowd, nor the one without an area
    assert open_data(replace(COCO, empty_pictures=True), root).train_rows.tolist() == [0, 1, 2, 3]
    assert data.train.images.names == ("a.png", "b.png", "c.png", "d.png")
    assert data.train.images.root == root / "train2017"
    assert data.train.describe_faults() == ("1 object is left out of instances_train2017.json: 1 without an area")


def test_pictures_of_lvis_may_be_in_either_folder(write_coco, rectangle):
    root = write_coco(train={7: (20, 30)}, annotations=[rectangle(7, 1, 1, 5, 5)], lvis=True)
    data = open_data(LVIS, root)
    assert data.train.images.root == root
    assert data.train.images.names == ("train2017/7.png",)
    assert data.val.images.names == ("val2017/7.png",)
    assert data.is_lvis


def test_names_with_their_folder_are_found_in_coco_too(write_coco, rectangle):
    images = {"a": {"file_name": "train2017/a.png"}}
    root = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 1, 1, 5, 5)], images=images)
    assert open_data(COCO, root).val.images.names == ("train2017/a.png",)


def test_missing_annotations_name_both_layouts(tmp_path, write_coco, rectangle):
    root = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 1, 1, 5, 5)])
    with pytest.raises(ValueError, match=r"there is no .*lvis_v1_train\.json, which the layout lvis needs") as caught:
        open_data(LVIS, root)
    for needed in ("instances_train2017.json", "instances_val2017.json", "lvis_v1_train.json", "lvis_v1_val.json"):
        assert needed in str(caught.value)
    with pytest.raises(ValueError, match="does not exist"):
        open_data(COCO, tmp_path / "nowhere")


def test_missing_pictures_are_explained_unless_training_can_skip_them(write_coco, rectangle):
    entries = [rectangle("a", 1, 1, 5, 5), rectangle("b", 1, 1, 5, 5)]
    root = write_coco(train={"a": (20, 30), "b": (20, 30)}, annotations=entries)
    (root / "train2017" / "a.png").unlink()
    assert open_data(COCO, root).train_rows.tolist() == [0, 1]
    (root / "train2017" / "b.png").unlink()
    with pytest.raises(ValueError, match=r"2 of the 2 pictures that .*train2017\.json lists are missing"):
        open_data(COCO, root)


def test_every_picture_for_validation_is_needed(write_coco, rectangle):
    entries = [rectangle("a", 1, 1, 5, 5), rectangle("b", 1, 1, 5, 5)]
    root = write_coco(train={"a": (20, 30), "b": (20, 30)}, annotations=entries)
    (root / "val2017" / "b.png").unlink()
    with pytest.raises(
        ValueError, match=r"1 of the 2 pictures that .*val2017\.json lists are missing .*first is b\.png"
    ):
        open_data(COCO, root)


def test_there_must_be_something_to_find(write_coco, rectangle):
    root = write_coco(train={"a": (20, 30)}, annotations=[], name="none")
    with pytest.raises(ValueError, match=r"there is no object to train on in .*train2017"):
        open_data(COCO, root)
    entries = [rectangle("a", 1, 1, 5, 5)]
    root = write_coco(train={"a": (20, 30)}, annotations=entries, val_annotations=[], name="no-val")
    with pytest.raises(ValueError, match=r"there is no object to evaluate on in .*val2017"):
        open_data(COCO, root)
    root = write_coco(train={}, annotations=[], name="no-pictures")
    with pytest.raises(ValueError, match="lists no picture"):
        open_data(COCO, root)


def test_both_parts_need_the_same_categories(write_coco, rectangle):
    root = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 1, 1, 5, 5)])
    path = root / "annotations" / "instances_val2017.json"
    path.write_text(path.read_text().replace('"two"', '"other"'))
    with pytest.raises(ValueError, match="list other categories"):
        open_data(COCO, root)


def test_the_fingerprint_tells_other_pictures_objects_and_categories(write_coco, rectangle):
    def fingerprint(name, **changed):
        settings = {"train": {"a": (20, 30)}, "annotations": [rectangle("a", 1, 1, 5, 5)]} | changed
        return open_data(COCO, write_coco(name=name, **settings)).fingerprint()

    same = fingerprint("one")
    assert fingerprint("two") == same
    assert fingerprint("three", annotations=[rectangle("a", 1, 1, 5, 5, category=2)]) != same
    assert fingerprint("five", categories=[{"id": 1, "name": "other"}]) != same


def test_data_can_be_handed_to_other_processes(write_coco, rectangle):
    data = open_data(COCO, write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 1, 1, 5, 5)]))
    assert pickle.loads(pickle.dumps(data)).fingerprint() == data.fingerprint()
