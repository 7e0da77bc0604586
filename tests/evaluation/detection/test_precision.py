"""Average precision against the reference implementations, and against a computation by hand."""

import contextlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rmae.data.image_set import ImageSet
from rmae.evaluation.detection.precision import Truth
from rmae.evaluation.objects.annotations import read_objects
from rmae.evaluation.objects.pictures import Part

STORED = json.loads((Path(__file__).parent / "results.json").read_text())


def truth_of(path: Path, content, *, is_lvis=False):
    path.write_text(json.dumps(content))
    objects, categories = read_objects(path)
    return Truth(Part(ImageSet(path.parent, objects.names), objects), categories, is_lvis=is_lvis)


def reference(path: Path, results, kind: str) -> COCOeval:
    """What pycocotools makes of results; a mask's size is its own, not its box's."""
    dropped = "segmentation" if kind == "bbox" else "bbox"
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        found = truth.loadRes([{key: value for key, value in r.items() if key != dropped} for r in results])
        evaluation = COCOeval(truth, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_figures_are_those_of_pycocotools(tmp_path, kind):
    truth = truth_of(tmp_path / "truth.json", STORED["truth"])
    expected = reference(tmp_path / "truth.json", STORED["results"], "bbox" if kind == "box" else "segm")
    found = truth.compare(STORED["results"], kind)
    figures = [found.ap, found.ap50, found.ap75, *found.by_size.values()]
    assert figures == pytest.approx(expected.stats[:6].tolist(), abs=1e-12)
    assert 0.1 < found.ap < found.ap50 < 0.9
    assert len(set(figures)) == 6
    precision = expected.eval["precision"][:, :, :, 0, -1]  # overlaps, recalls, categories
    for place in range(3):
        assert found.by_category[place] == pytest.approx(precision[:, :, place].mean(), abs=1e-12)
        assert found.ap50_by_category[place] == pytest.approx(precision[0, :, place].mean(), abs=1e-12)
    assert math.isnan(found.by_category[3])  # there is no hexagon to be found, though some were "found"
    assert found.ap == pytest.approx(np.mean(found.by_category[:3]))
    assert found.by_frequency == {}


@pytest.mark.parametrize(("kind", "key"), [("box", "bbox"), ("mask", "segm")])
def test_figures_of_lvis_are_those_of_its_own_package(tmp_path, kind, key):
    annotations = [annotation | {"iscrowd": 0} for annotation in STORED["truth"]["annotations"]]
    truth = truth_of(tmp_path / "truth.json", STORED["truth"] | {"annotations": annotations}, is_lvis=True)
    found, expected = truth.compare(STORED["results"], kind), STORED["lvis"][key]
    assert {
        "AP": found.ap, "AP50": found.ap50, "AP75": found.ap75, "APs": found.by_size["small"],
        "APm": found.by_size["medium"], "APl": found.by_size["large"], "APr": found.by_frequency["rare"],
        "APc": found.by_frequency["common"], "APf": found.by_frequency["frequent"],
    } == pytest.approx(expected, abs=1e-12)  # fmt: skip
    assert found.ap != truth_of(tmp_path / "coco.json", STORED["truth"]).compare(STORED["results"], kind).ap


def test_one_category_by_hand(write_coco, rectangle):
    """Two objects; finds by score: a hit, a miss, a hit. Precision is 1 up to recall 1/2, and 2/3 from there on.

    Of the 101 recalls 0, 0.01, ..., 1 the first 51 are at most 1/2: AP50 = (51 + 50 * 2 / 3) / 101. The first hit
    overlaps with 1, the second with 0.6, so that it counts at 0.5, 0.55 and 0.6 alone; else 51 / 101 remain.
    """
    entries = [rectangle("a", 0, 0, 10, 10), rectangle("a", 20, 0, 30, 10)]
    root = write_coco(train={"a": (40, 40)}, annotations=entries)
    truth = truth_of(root / "truth.json", json.loads((root / "annotations/instances_val2017.json").read_text()))
    results = [
        {"image_id": "a", "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.9},
        {"image_id": "a", "category_id": 1, "bbox": [0, 20, 10, 10], "score": 0.8},
        {"image_id": "a", "category_id": 1, "bbox": [20, 0, 10, 6], "score": 0.7},
    ]
    found = truth.compare(results, "box")
    both, one = (51 + 50 * 2 / 3) / 101, 51 / 101
    assert found.ap50 == pytest.approx(both)
    assert found.ap75 == pytest.approx(one)
    assert found.ap == pytest.approx((3 * both + 7 * one) / 10)
    assert found.by_size["small"] == pytest.approx(found.ap)
    assert math.isnan(found.by_size["large"])


@pytest.mark.parametrize("is_lvis", [False, True])
def test_without_any_find_the_figures_are_zero(tmp_path, is_lvis):
    truth = truth_of(tmp_path / "truth.json", STORED["truth"], is_lvis=is_lvis)
    for kind in ("box", "mask"):
        found = truth.compare([], kind)
        assert (found.ap, found.ap50, found.ap75) == (0, 0, 0)
        assert math.isnan(found.by_category[3])


def test_comparing_twice_gives_the_same_and_says_nothing(tmp_path, capfd):
    truth = truth_of(tmp_path / "truth.json", STORED["truth"])
    first = truth.compare(STORED["results"], "box")
    truth.compare(STORED["results"], "mask")
    truth.compare([], "box")
    assert str(truth.compare(STORED["results"], "box")) == str(first)
    assert capfd.readouterr() == ("", "")


def test_boxes_and_areas_that_the_file_lacks_are_those_of_the_masks(tmp_path):
    """The scenes' boxes and areas are just these, so nothing may change."""
    annotations = [
        {key: value for key, value in annotation.items() if key not in ("bbox", "area")}
        for annotation in STORED["truth"]["annotations"]
    ]
    without = truth_of(tmp_path / "without.json", STORED["truth"] | {"annotations": annotations})
    truth = truth_of(tmp_path / "truth.json", STORED["truth"])
    for kind in ("box", "mask"):
        assert str(without.compare(STORED["results"], kind)) == str(truth.compare(STORED["results"], kind))


def test_scores_are_named(tmp_path):
    scores = truth_of(tmp_path / "truth.json", STORED["truth"], is_lvis=True).compare([], "mask").scores("mask")
    assert list(scores) == [
        "mask_ap", "mask_ap50", "mask_ap75", "mask_ap_small", "mask_ap_medium", "mask_ap_large", "mask_ap_rare",
        "mask_ap_common", "mask_ap_frequent",
    ]  # fmt: skip
