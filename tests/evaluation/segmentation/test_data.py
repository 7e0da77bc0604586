import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rmae.config import SegmentConfig
from rmae.data.images import UnreadableImage
from rmae.evaluation.segmentation.data import open_data
from rmae.evaluation.segmentation.labels import IGNORED, WrongLabels

EditJson = Callable[[str, Callable[[dict[str, Any]], None]], None]
CONFIG = SegmentConfig()


def test_both_layouts_give_the_same_labels(ade_root: Path, coco_root: Path):
    ade, coco = open_data(CONFIG, ade_root), open_data(CONFIG, coco_root)
    assert ade.classes == coco.classes == ("around", "red", "blue")
    for one, other in ((ade.training, coco.training), (ade.validation, coco.validation)):
        assert [Path(name).name for name in one.names] == [Path(name).name for name in other.names]
        for i in range(len(one.names)):
            (image, labels), (same_image, same_labels) = one.read(i), other.read(i)
            np.testing.assert_array_equal(image, same_image)
            np.testing.assert_array_equal(labels, same_labels, strict=True)
            assert (image.dtype, labels.dtype) == (np.uint8, np.int16)
            assert image.shape == (*labels.shape, 3)
    assert (len(ade.training.names), len(ade.validation.names)) == (8, 3)
    labels = ade.training.read(1)[1]
    assert labels[0, 0] == IGNORED
    assert set(np.unique(labels)) == {IGNORED, 0, 2}


def test_the_plain_names_of_parts_will_do(ade_root: Path):
    for kind in ("images", "annotations"):
        (ade_root / kind / "training").rename(ade_root / kind / "train")
        (ade_root / kind / "validation").rename(ade_root / kind / "val")
    assert len(open_data(CONFIG, ade_root).training.names) == 8


def test_pictures_may_lie_in_sub_folders(ade_root: Path):
    for kind in ("images", "annotations"):
        folder = ade_root / kind / "training"
        (folder / "a").mkdir()
        (folder / "3.png").rename(folder / "a" / "3.png")
    data = open_data(CONFIG, ade_root)
    assert "images/training/a/3.png" in data.training.names
    assert data.training.read(data.training.names.index("images/training/a/3.png"))[1].max() == 2


@pytest.mark.parametrize(
    ("ignore_label", "names", "expected"),
    [
        (None, "none\naround\nred\nblue", {0, 1, 3}),  # the corner is a class like any other
        (0, "around\nred\nblue", {-1, 0, 2}),
        (1, "none\nred\nblue", {0, -1, 2}),
        (3, "none\naround\nred", {0, 1, -1}),
    ],
)
def test_labels_above_the_ignored_one_move_down(
    ade_root: Path, ignore_label: int | None, names: str, expected: set[int]
):
    (ade_root / "classes.txt").write_text(names)
    labels = open_data(replace(CONFIG, ignore_label=ignore_label), ade_root).training.read(1)[1]
    assert set(np.unique(labels)) == expected


def test_255_is_ignored_and_palettes_are_indices(ade_root: Path):
    path = ade_root / "annotations" / "training" / "0.png"
    labels = np.array(Image.open(path))
    labels[5] = 255
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([200 - i % 150 for i in range(768)])
    picture.save(path)
    read = open_data(CONFIG, ade_root).training.read(0)[1]
    assert (read[5] == IGNORED).all()
    np.testing.assert_array_equal(np.delete(read, 5, axis=0), np.delete(labels.astype(int) - 1, 5, axis=0))


def test_16_bit_labels_hold_many_classes(ade_root: Path):
    (ade_root / "classes.txt").write_text("\n".join(f"class {i}" for i in range(900)))
    path = ade_root / "annotations" / "training" / "0.png"
    labels = np.array(Image.open(path)).astype(np.uint16)
    labels[3], labels[4] = 900, 65535
    Image.fromarray(labels).save(path)
    read = open_data(CONFIG, ade_root).training.read(0)[1]
    assert (read[3] == 899).all()
    assert (read[4] == IGNORED).all()


def test_without_names_classes_are_the_numbers_that_training_has(ade_root: Path):
    (ade_root / "classes.txt").unlink()
    assert open_data(CONFIG, ade_root).classes == ("1", "2", "3")
    assert open_data(replace(CONFIG, ignore_label=1), ade_root).classes == ("0", "2", "3")
    for path in (ade_root / "annotations" / "training").iterdir():
        labels = np.array(Image.open(path))
        Image.fromarray(np.minimum(labels, 2)).save(path)
    with pytest.raises(WrongLabels, match=r"validation/9\.png holds the label 3, but the 2 classes have the labels 1 "):
        open_data(CONFIG, ade_root)


def test_crowds_and_what_is_not_annotated_are_ignored(coco_root: Path, edit_json: EditJson):
    def make_crowds(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["iscrowd"] = int(segment["category_id"] == 5)

    before = open_data(CONFIG, coco_root).training.read(0)[1]
    edit_json("train2017", make_crowds)
    after = open_data(CONFIG, coco_root).training.read(0)[1]
    assert (before == 1).any()
    np.testing.assert_array_equal(after, np.where(before == 1, IGNORED, before))


def test_pngs_may_stand_beside_the_json_file(coco_root: Path):
    for part in ("train2017", "val2017"):
        shutil.move(coco_root / f"panoptic_{part}", coco_root / "annotations" / f"panoptic_{part}")
    assert open_data(CONFIG, coco_root).training.read(1)[1].max() == 2


def test_the_fingerprint_tells_pictures_and_classes(ade_root: Path):
    first = open_data(CONFIG, ade_root).fingerprint()
    assert first.startswith("8 images, sha256 ")
    assert open_data(CONFIG, ade_root).fingerprint() == first
    (ade_root / "classes.txt").write_text("around\nred\ngreen\n")
    assert open_data(CONFIG, ade_root).fingerprint() != first
    (ade_root / "classes.txt").write_text("around\nred\nblue\n")
    for kind in ("images", "annotations"):
        (ade_root / kind / "training" / "0.png").unlink()
    assert open_data(CONFIG, ade_root).fingerprint() != first


def test_unusable_files_are_told(ade_root: Path):
    data = open_data(CONFIG, ade_root)
    folder = ade_root / "annotations" / "training"
    Image.new("L", (31, 20), 1).save(folder / "0.png")
    with pytest.raises(
        UnreadableImage, match=r"labels in annotations/training/0\.png have 20 x 31 .* picture has 20 x 30"
    ):
        data.training.read(0)
    Image.new("RGB", (24, 24)).save(folder / "1.png")
    with pytest.raises(UnreadableImage, match=r"1\.png is of mode RGB; labels must be grey levels or indices"):
        data.training.read(1)
    (folder / "2.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableImage, match=r"2\.png is not a PNG file"):
        data.training.read(2)
    (folder / "3.png").write_bytes((folder / "4.png").read_bytes()[:60])
    with pytest.raises(UnreadableImage, match=r"3\.png cannot be decoded"):
        data.training.read(3)
    (folder / "4.png").unlink()
    with pytest.raises(UnreadableImage, match="its labels are missing"):
        data.training.read(4)
    (ade_root / "images" / "training" / "5.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableImage, match="it is not an image"):
        data.training.read(5)


def test_unusable_panoptic_annotations_are_told(coco_root: Path):
    data = open_data(CONFIG, coco_root)
    Image.new("RGB", (30, 20), (9, 9, 9)).save(coco_root / "panoptic_train2017" / "0.png")
    with pytest.raises(UnreadableImage, match=r"its labels cannot be had: .*0\.png holds the segment 592137"):
        data.training.read(0)
    Image.new("RGB", (5, 5)).save(coco_root / "train2017" / "1.png")
    with pytest.raises(UnreadableImage, match=r"1\.png has 5 x 5 pixels \(height x width\), but 24 x 24 in"):
        data.training.read(1)


def test_labels_outside_of_the_classes_are_no_bad_file_but_wrong(ade_root: Path):
    (ade_root / "classes.txt").write_text("around\nred\n")
    Image.new("L", (24, 24), 1).save(ade_root / "annotations/validation/9.png")
    data = open_data(CONFIG, ade_root)
    sentence = (
        r"holds the label 3, but the 2 classes have the labels 1 to 2, and 0 and 255 \(65535 in 16 bits\) are ignored; "
        "correct the file or the list of classes, or set --ignore-label"
    )
    with pytest.raises(WrongLabels, match=sentence):
        data.training.read(1)


def remove(*paths: str) -> Callable[[Path], None]:
    def act(root: Path) -> None:
        for path in paths:
            shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()

    return act


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            remove("images"),
            "no layout that segment reads: .*images/training.*annotations/validation as ADE20K.*train2017, ",
        ),
        (remove("images/validation"), "a part of the data set is missing: there is no .*images/validation$"),
        (remove("annotations"), "there is no .*annotations/training and no .*annotations/validation"),
        (remove("annotations/training/2.png"), r"1 picture has \(images/training/2\.png\) no labels in .*training: a"),
        (remove("images/training/2.png"), r"1 file with labels has \(annotations/training/2\.png\) no picture in"),
        (
            remove(*(f"annotations/training/{i}.png" for i in range(5))),
            r"5 pictures have \(images/training/0\.png, images/training/1\.png, images/training/2\.png, \.\.\.\) no",
        ),
        (
            remove(*(f"{kind}/training/{i}.png" for i in range(8) for kind in ("images", "annotations"))),
            "there is no image in .*images/training",
        ),
        (lambda root: (root / "classes.txt").write_text("one\n"), "has 1 class.*; there must be at least 2"),
        (lambda root: (root / "classes.txt").write_text(" \n"), r"classes\.txt holds no name of a class"),
        (
            lambda root: Image.new("RGB", (30, 20)).save(root / "annotations/training/0.png"),
            r"images/training/0\.png cannot be used: .* is of mode RGB",
        ),
    ],
)
def test_a_folder_that_will_not_do_is_refused_in_a_sentence(
    ade_root: Path, spoil: Callable[[Path], object], sentence: str
):
    spoil(ade_root)
    with pytest.raises(ValueError, match=sentence):
        open_data(CONFIG, ade_root)


def test_pixels_that_are_all_ignored_have_no_classes(ade_root: Path):
    (ade_root / "classes.txt").unlink()
    for path in (ade_root / "annotations" / "training").iterdir():
        Image.fromarray(np.full_like(np.array(Image.open(path)), 255)).save(path)
    with pytest.raises(ValueError, match=r"no pixel in .*training has a class: all are ignored; set --ignore-label"):
        open_data(CONFIG, ade_root)


def drop_png(root: Path) -> None:
    shutil.rmtree(root / "panoptic_val2017")


def spoil_category(content: dict[str, Any]) -> None:
    content["annotations"][0]["segments_info"][0]["category_id"] = 2


def spoil_name(content: dict[str, Any]) -> None:
    content["categories"][0] = {"id": 1}


def spoil_category_id(content: dict[str, Any]) -> None:
    content["categories"][0]["id"] = 2**63


@pytest.mark.parametrize(
    ("part", "change", "sentence"),
    [
        ("train2017", spoil_category, "has a segment of the category 2; its categories must be among the 3"),
        (
            "train2017",
            lambda content: content["annotations"][0]["segments_info"][0].pop("category_id"),
            "has a segment without a category_id; its categories",
        ),
        ("val2017", lambda content: content.pop("categories"), "has no list of categories; it must name those of"),
        ("val2017", spoil_name, r"has a category without an id of its own \(.*\) and a name: \{'id': 1\}"),
        (
            "val2017",
            spoil_category_id,
            r"has a category without an id of its own \(from 0 to 2147483647\) .*'id': 9223372036854775808",
        ),
        (
            "train2017",
            lambda content: content["annotations"].pop(0),
            r"has no annotation of 0\.png, although the picture is in .*train2017; give both or neither",
        ),
    ],
)
def test_panoptic_files_that_will_not_do_are_refused(
    coco_root: Path, edit_json: EditJson, part: str, change: Callable[[dict[str, Any]], object], sentence: str
):
    edit_json(part, lambda content: change(content) and None)
    with pytest.raises(ValueError, match=rf"panoptic_{part}\.json {sentence}"):
        open_data(CONFIG, coco_root)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (drop_png, "the segments of .*panoptic_val2017.json are missing: there is no folder .*panoptic_val2017"),
        (remove("train2017/3.png"), r"has an annotation of 3\.png, but there is no such picture in .*train2017; give"),
        (remove("annotations/panoptic_val2017.json"), "is missing: there is no .*panoptic_val2017.json"),
        (remove("val2017"), "is missing: there is no .*val2017$"),
        (
            lambda root: (root / "annotations/panoptic_val2017.json").write_text("{"),
            r"panoptic_val2017\.json is not an annotation file in COCO's form",
        ),
    ],
)
def test_a_panoptic_folder_that_will_not_do_is_refused(coco_root: Path, spoil: Callable[[Path], object], sentence: str):
    spoil(coco_root)
    with pytest.raises(ValueError, match=sentence):
        open_data(CONFIG, coco_root)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"the data folder .*nothing does not exist"):
        open_data(CONFIG, tmp_path / "nothing")


def test_reading_goes_on_in_other_processes(coco_root: Path):
    import pickle

    data = open_data(CONFIG, coco_root)
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy.training.read(2)[1], data.training.read(2)[1])
    assert json.loads((coco_root / "annotations/panoptic_val2017.json").read_text())["categories"][0]["id"] == 90
