import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pydantic import TypeAdapter

from rmae.regions.coco_instances import CocoInstances

IMAGE = np.zeros((20, 30, 3), np.uint8)
IMAGES = [
    {"id": 1, "file_name": "1.jpg", "height": 20, "width": 30},
    {"id": 2, "file_name": "empty.jpg", "height": 20, "width": 30},
]
LEFT = [[2, 3, 12, 3, 12, 9, 2, 9]]
RIGHT = [[20.5, 1.25, 28.2, 4.75, 22.1, 17.3]]
OVER_BOTH = [[5.5, 5.5, 26, 7, 14.2, 19.9], [0, 15, 4, 15, 4, 22, 0, 22]]
CROWD = {"size": [20, 30], "counts": [400, 25, 175]}
COMPRESSED = {"size": [20, 30], "counts": "R4`01e="}  # 130, 16, 1, 453


def annotate(folder: Path, segmentations: list[Any], file_name: str = "a.json", **more: Any) -> str:
    annotations = [
        {"id": 10 + i, "image_id": 1, "iscrowd": int(segmentation is CROWD), "segmentation": segmentation}
        for i, segmentation in enumerate(segmentations)
    ]
    (folder / file_name).write_text(json.dumps({"images": IMAGES, "annotations": annotations} | more))
    return str(folder / file_name)


def masks_of(label_maps: np.ndarray) -> set[bytes]:
    return {(labels == label).tobytes() for labels in label_maps for label in range(labels.max() + 1)}


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_masks_are_those_of_the_coco_api(tmp_path: Path):
    path = annotate(tmp_path, [LEFT, CROWD, RIGHT, OVER_BOTH, COMPRESSED])
    api = COCO(path)
    expected = [api.annToMask(annotation).astype(bool) for annotation in api.anns.values()]
    label_maps = CocoInstances(annotations=(path,), crowds=True)(IMAGE, "train2017/1.jpg")
    assert label_maps.dtype == np.int32
    assert masks_of(label_maps) == {mask.tobytes() for mask in expected}
    assert len({mask.tobytes() for mask in expected if mask.any()}) == 5


def test_instances_come_in_the_order_of_the_file_and_overlap_in_other_maps(tmp_path: Path):
    maps = CocoInstances(annotations=(annotate(tmp_path, [LEFT, OVER_BOTH, RIGHT]),))(IMAGE, "1.jpg")
    assert maps.shape == (2, 20, 30)
    assert (maps[0, 4, 3], maps[0, 5, 24], maps[1, 8, 11], maps[1, 18, 1], maps[0, 0, 0]) == (0, 1, 0, 0, -1)


def test_crowds_are_left_out_unless_asked_for(tmp_path: Path):
    path = annotate(tmp_path, [CROWD, LEFT])
    assert CocoInstances(annotations=(path,))(IMAGE, "1.jpg").max() == 0
    assert CocoInstances(annotations=(path,), crowds=True)(IMAGE, "1.jpg").max() == 1


def test_an_image_without_instances_has_no_maps(tmp_path: Path):
    maps = CocoInstances(annotations=(annotate(tmp_path, [LEFT]),))(IMAGE, "val2017/empty.jpg")
    assert (maps.shape, maps.dtype) == ((0, 20, 30), np.int32)


def test_several_files_are_looked_through(tmp_path: Path):
    other = [IMAGES[0] | {"file_name": "2.jpg"}]
    paths = (annotate(tmp_path, [LEFT], "a.json"), annotate(tmp_path, [RIGHT, LEFT], "b.json", images=other))
    source = CocoInstances(annotations=paths)
    assert [source(IMAGE, name).max() for name in ("1.jpg", "2.jpg")] == [0, 1]


def test_images_that_are_not_listed_or_have_another_size_are_explained(tmp_path: Path):
    source = CocoInstances(annotations=(annotate(tmp_path, [LEFT]),))
    with pytest.raises(ValueError, match=r"3\.jpg is not listed in .*a\.json"):
        source(IMAGE, "3.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg has 30 x 20 pixels \(height x width\), but 20 x 30 in .*a\.json"):
        source(IMAGE.transpose(1, 0, 2), "1.jpg")


@pytest.mark.parametrize(
    ("segmentation", "fault"),
    [
        ([], "an instance has no polygon"),
        ([[1, 1, 5, 5]], "a polygon has 4 numbers"),
        ([[1, 1, 5, 5, 1e9, 5]], "absurdly far out of an image of 20 x 30 pixels"),
        ([[1, 1, 5, 5, float("nan"), 5]], "a polygon has a corner that is not finite"),
        ({"size": [30, 20], "counts": [600]}, r"a run-length mask has the size \[30, 20\], but the image \[20, 30\]"),
        ({"size": None, "counts": [600]}, "a run-length mask has the size None"),
        ({"size": [20, 30], "counts": [599]}, "has runs that do not fill it exactly"),
        ({"size": [20, 30], "counts": " "}, "holds ' ', which that form does not use"),
    ],
)
def test_one_malformed_instance_spoils_its_own_image_only(tmp_path: Path, segmentation: Any, fault: str):
    source = CocoInstances(annotations=(annotate(tmp_path, [LEFT, segmentation]),))
    with pytest.raises(ValueError, match=rf"an instance of 1\.jpg in .*a\.json cannot be used: .*{fault}"):
        source(IMAGE, "1.jpg")
    assert len(source(IMAGE, "empty.jpg")) == 0


def test_files_are_read_once(tmp_path: Path):
    path = annotate(tmp_path, [LEFT])
    source = CocoInstances(annotations=(path,))
    source.prepare()
    Path(path).unlink()
    assert len(source(IMAGE, "1.jpg")) == 1


def test_preparing_reads_the_files(tmp_path: Path):
    with pytest.raises(ValueError, match=r"the annotations .*none\.json cannot be read"):
        CocoInstances(annotations=(str(tmp_path / "none.json"),)).prepare()


def test_what_was_read_is_no_part_of_the_settings(tmp_path: Path):
    path = annotate(tmp_path, [LEFT])
    prepared, fresh = CocoInstances(annotations=(path,)), CocoInstances(annotations=(path,))
    prepared.prepare()
    assert prepared == fresh
    assert hash(prepared) == hash(fresh)
    assert repr(prepared) == repr(fresh)
    assert pickle.dumps(prepared) == pickle.dumps(fresh)
    assert vars(copy.deepcopy(prepared)) == vars(fresh)
    settings = {"annotations": (path,), "crowds": False, "kind": "coco-instances"}
    assert TypeAdapter(CocoInstances).dump_python(prepared) == settings


@pytest.mark.parametrize("annotations", [(), "a.json"])
def test_files_must_be_given_as_a_tuple(annotations: Any):
    with pytest.raises(ValueError, match=r"annotations is .*; give a tuple of at least one JSON file"):
        CocoInstances(annotations=annotations)
