import json
from pathlib import Path
from typing import Any

import pytest

from rmae.regions.segment_table import NO_CATEGORY, read_segments

IMAGES = [{"id": id_, "file_name": f"{id_}.jpg", "height": 3, "width": 4} for id_ in (5, 2, 9)]


def annotation(image_id: object, *segments: object, **more: object) -> dict[str, Any]:
    return {"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": list(segments)} | more


def write(folder: Path, *annotations: object) -> str:
    (folder / "a.json").write_text(json.dumps({"images": IMAGES, "annotations": annotations}))
    return str(folder / "a.json")


def test_segments_are_sorted_by_image_and_keep_their_order(tmp_path: Path):
    path = write(
        tmp_path,
        annotation(9, {"id": 7, "iscrowd": 1, "area": 3}, {"id": 2**24 - 1}),
        annotation(5, {"id": 3, "iscrowd": 0}, {"id": 7, "iscrowd": 0}, {"id": 1, "iscrowd": 1}),
    )
    table = read_segments(path)
    assert table.images.rows == {"5.jpg": 0, "2.jpg": 1, "9.jpg": 2}
    assert table.file_names == ["5.png", None, "9.png"]
    assert table.first_segments.tolist() == [0, 3, 3, 5]
    assert table.ids.tolist() == [3, 7, 1, 7, 2**24 - 1]
    assert table.is_crowd.tolist() == [False, False, True, True, False]


def test_categories_are_kept_and_may_be_missing(tmp_path: Path):
    table = read_segments(
        write(
            tmp_path,
            annotation(9, {"id": 7, "category_id": 0}),
            annotation(5, {"id": 3, "category_id": 200}, {"id": 8}, {"id": 1, "category_id": "sky"}),
        )
    )
    assert table.categories.tolist() == [200, NO_CATEGORY, NO_CATEGORY, 0]


def test_a_file_without_annotations_has_no_segments(tmp_path: Path):
    table = read_segments(write(tmp_path))
    assert (table.file_names, table.ids.tolist(), table.is_crowd.tolist()) == ([None] * 3, [], [])


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"segments_info": []}, "an annotation is no object with an image_id, a file_name and a list segments_info"),
        (annotation(None), "'image_id': None"),
        (annotation(5, file_name=7), "'file_name': 7"),
        (annotation(5, segments_info={}), "'segments_info': {}"),
        (annotation(5, 7), "a segment is no object with an id from 1 to 16777215 .*: 7"),
        (annotation(5, {}), "a segment is no object with an id from 1 to 16777215"),
        (annotation(5, {"id": 0}), "a segment is no object with an id from 1 .*'id': 0"),
        (annotation(5, {"id": 2**24}), "'id': 16777216"),
        (annotation(5, {"id": "7"}), "'id': '7'"),
        (annotation(5, {"id": 7, "iscrowd": 2}), "'iscrowd': 2"),
        (annotation(5, {"id": 7, "iscrowd": []}), "an iscrowd of 0 or 1"),
        (annotation(5, {"id": 7}, {"id": 7}), r"two segments of 5\.png have the same id"),
    ],
)
def test_malformed_annotations_are_explained(tmp_path: Path, wrong: object, fault: str):
    with pytest.raises(ValueError, match=rf"a\.json is not an annotation file in COCO's form: .*{fault}"):
        read_segments(write(tmp_path, wrong))


def test_an_annotation_of_no_image_is_explained(tmp_path: Path):
    with pytest.raises(
        ValueError, match=r"a\.json has an annotation of the image with id 6, which its 'images' do not"
    ):
        read_segments(write(tmp_path, annotation(5), annotation(6)))


def test_two_annotations_of_an_image_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"a\.json has two annotations of the image with id 5"):
        read_segments(write(tmp_path, annotation(5), annotation(5)))
