import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmae.regions.instance_table import InstanceTable, RunLengths, read_instances


def annotation(image_id: object, segmentation: object, **more: object) -> dict[str, Any]:
    return {"id": 1, "image_id": image_id, "iscrowd": 0, "segmentation": segmentation} | more


def write(path: Path, image_ids: list[object], annotations: list[object]) -> str:
    images = [{"id": id_, "file_name": f"{path.stem}{id_}.jpg", "height": 3, "width": 4} for id_ in image_ids]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return str(path)


def found(table: InstanceTable, name: str) -> list[object]:
    """Segmentations of an image in plain Python."""
    row = table.images.find(name, (3, 4), "")
    return [s if isinstance(s, RunLengths) else [p.tolist() for p in s] for s in table.segmentations(row)]


def test_instances_are_sorted_by_image_and_keep_their_order(tmp_path: Path):
    runs = {"size": [3, 4], "counts": "<"}
    annotations = [
        annotation(5, [[1, 2, 3, 4, 5, 6]]),
        annotation(2, runs),
        annotation(5, [[7, 8.5, 9, 10, 11, 12], [13, 14, 15, 16, 17, 18]]),
        annotation(2, [[19, 20, 21, 22, 23, 24]]),
    ]
    table = read_instances([write(tmp_path / "a.json", [2, 3, 5], annotations)], crowds=False)
    assert found(table, "a2.jpg") == [RunLengths([3, 4], "<"), [[19, 20, 21, 22, 23, 24]]]
    assert found(table, "a3.jpg") == []
    assert found(table, "a5.jpg") == [
        [[1, 2, 3, 4, 5, 6]],
        [[7, 8.5, 9, 10, 11, 12], [13, 14, 15, 16, 17, 18]],
    ]
    assert (table.numbers.dtype, len(table.numbers)) == (np.float64, 24)


def test_ids_of_one_file_say_nothing_in_another(tmp_path: Path):
    paths = [
        write(tmp_path / "a.json", [1, "x"], [annotation("x", [[1, 1, 2, 2, 3, 3]])]),
        write(tmp_path / "b.json", [1, "x"], [annotation(1, [[4, 4, 5, 5, 6, 6]])]),
    ]
    table = read_instances(paths, crowds=False)
    assert [found(table, name) for name in ("a1.jpg", "ax.jpg", "b1.jpg", "bx.jpg")] == [
        [], [[[1, 1, 2, 2, 3, 3]]], [[[4, 4, 5, 5, 6, 6]]], [],
    ]  # fmt: skip


def test_a_file_without_annotations_has_no_instances(tmp_path: Path):
    table = read_instances([write(tmp_path / "a.json", [1], [])], crowds=False)
    assert found(table, "a1.jpg") == []
    assert read_instances([write(tmp_path / "a.json", [], [])], crowds=True).images.rows == {}


@pytest.mark.parametrize(("crowds", "num_kept"), [(False, 2), (True, 3)])
def test_crowds_are_kept_where_asked_for(tmp_path: Path, crowds: bool, num_kept: int):
    runs = {"size": [3, 4], "counts": [4, 8]}
    without_the_key = annotation(1, [[1, 1, 2, 2, 3, 3]])
    del without_the_key["iscrowd"]
    annotations = [annotation(1, runs, iscrowd=1), annotation(1, runs), without_the_key]
    table = read_instances([write(tmp_path / "a.json", [1], annotations)], crowds=crowds)
    assert len(found(table, "a1.jpg")) == num_kept
    assert len(table.run_lengths) == num_kept - 1


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (annotation(None, []), "annotation 1 has the image_id None; it must be an integer or a string"),
        (annotation([1], []), r"annotation 1 has the image_id \[1\]"),
        ({"segmentation": []}, "annotation None has the image_id None"),
        (annotation(1, [], iscrowd=2), "annotation 1 has iscrowd 2; it must be 0 or 1"),
        (annotation(1, [], iscrowd=[]), r"annotation 1 has iscrowd \[\]"),
        (annotation(1, None), "has the segmentation None; it must be a list of polygons, or a run-length mask"),
        (annotation(1, "33"), "has the segmentation '33'"),
        (annotation(1, {"counts": "33"}), "has the segmentation {'counts': '33'}"),
        (annotation(1, {"size": [3, 4]}), r"has the segmentation {'size': \[3, 4\]}"),
        (annotation(1, {"size": [3, 4], "counts": 7}), "has the segmentation"),
        (annotation(1, {"size": [3, 4], "counts": [1.5]}), r"has run lengths that are no integers: \[1.5\]"),
        (annotation(1, {"size": [3, 4], "counts": [2**70]}), "has run lengths that are no integers"),
        (annotation(1, [1, 2, 3, 4, 5, 6]), "has a polygon that is no list of numbers: 1"),
        (annotation(1, ["123456"]), "has a polygon that is no list of numbers: '123456'"),
        (annotation(1, [[[1, 2], [3, 4]]]), "has a polygon that is no list of numbers"),
        (annotation(1, [{"x": 1}]), "has a polygon that is no list of numbers"),
        (annotation(1, [[1, 2, None]]), r"has a polygon that is no list of numbers: \[1, 2, None\]"),
        (annotation(1, [[10**400] * 6]), "has a polygon that is no list of numbers"),
        (annotation(1, annotation(1, [])), "has the segmentation Instance"),
    ],
)
def test_malformed_annotations_are_explained(tmp_path: Path, wrong: object, fault: str):
    with pytest.raises(ValueError, match=rf"a\.json is not an annotation file in COCO's form: .*{fault}"):
        read_instances([write(tmp_path / "a.json", [1], [wrong])], crowds=False)


def test_an_annotation_of_no_image_is_explained(tmp_path: Path):
    path = write(tmp_path / "a.json", [1], [annotation("1", [])])
    with pytest.raises(ValueError, match=r"a\.json has an annotation of the image with id '1', which its 'images' do"):
        read_instances([path], crowds=False)
