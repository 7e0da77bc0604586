import json
from dataclasses import replace

import numpy as np
import pytest

from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.interactive.data import choose_objects, open_data, read_masks
from rmae.evaluation.objects.pictures import read_evaluated_picture

CONFIG = InteractiveConfig(min_object_share=0.05)


def test_objects_are_spread_over_the_pictures(write_coco, rectangle):
    """Ten objects on the first picture, two on the second, one on the third."""
    counts = {"a": 10, "b": 2, "c": 1}
    annotations = [
        rectangle(name, number, 0, number + 10, 10) for name, count in counts.items() for number in range(count)
    ]
    data = open_data(CONFIG, write_coco(train={name: (20, 30) for name in counts}, annotations=annotations))

    def chosen(number: int, seed: int = 0) -> list[int]:
        config = replace(CONFIG, max_objects=number, run=replace(CONFIG.run, seed=seed))
        choice = choose_objects(config, data)
        assert choice.num_eligible == 13
        assert list(choice.by_row) == sorted(choice.by_row)
        assert choice.num_objects == min(number, 13)
        return [len(choice.by_row.get(row, ())) for row in range(3)]

    assert chosen(3) == [1, 1, 1]
    assert chosen(5) == [3, 2, 1] or chosen(5) == [2, 2, 1]
    assert chosen(4) in ([2, 1, 1], [1, 2, 1])
    assert chosen(8) == [5, 2, 1]
    assert chosen(100) == [10, 2, 1]
    assert {tuple(chosen(1, seed)) for seed in range(20)} == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
    one = choose_objects(replace(CONFIG, max_objects=1), data)
    assert one == choose_objects(replace(CONFIG, max_objects=1), data)
    drawn = {
        choose_objects(replace(CONFIG, max_objects=3, run=replace(CONFIG.run, seed=seed)), data).by_row[0]
        for seed in range(40)
    }
    assert len(drawn) > 5


def test_small_objects_crowds_and_those_without_a_mask_are_no_choice(write_coco, rectangle):
    annotations = [
        rectangle("a", 0, 0, 10, 10),
        rectangle("a", 0, 0, 3, 3),
        rectangle("a", 0, 0, 10, 10, iscrowd=1, segmentation={"size": [20, 30], "counts": [0, 600]}),
        rectangle("a", 0, 0, 10, 10, segmentation=[]),
        rectangle("a", 0, 0, 10, 10, area=None),  # that of its mask counts
        rectangle("a", 0, 0, 3, 3, area=None),
    ]
    data = open_data(CONFIG, write_coco(train={"a": (20, 30)}, annotations=annotations))
    choice = choose_objects(CONFIG, data)
    assert choice.by_row == {0: (0, 4)}
    assert (choice.num_eligible, choice.num_small) == (2, 2)
    assert choose_objects(replace(CONFIG, min_object_share=0.0), data).by_row == {0: (0, 1, 4, 5)}


def test_masks_are_those_of_the_objects(write_coco, rectangle):
    annotations = [rectangle("a", 2, 3, 12, 13), rectangle("a", 20, 0, 30, 20)]
    data = open_data(CONFIG, write_coco(train={"a": (20, 30)}, annotations=annotations))
    masks = read_masks(data.part, 0, (1,))
    expected = np.zeros((20, 30), bool)
    expected[:, 20:] = True
    assert list(masks) == [1]
    np.testing.assert_array_equal(masks[1], expected)
    assert read_evaluated_picture(data.part, 0, max_pixels=1000).shape == (20, 30, 3)


def test_the_fingerprint_tells_other_objects(write_coco, rectangle):
    one = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 0, 0, 10, 10)], name="one")
    two = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 0, 0, 10, 10)] * 2, name="two")
    found = [open_data(CONFIG, root).fingerprint() for root in (one, two, one)]
    assert found[0] == found[2] != found[1]
    assert found[0].startswith("1 pictures, 1 objects, sha256 ")


def test_data_without_objects_are_explained(write_coco, rectangle, tmp_path):
    with pytest.raises(ValueError, match=r"the data folder .* does not exist"):
        open_data(CONFIG, tmp_path / "away")
    small = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 0, 0, 2, 2)], name="small")
    message = r"no object in .* that covers at least 5.0% of its picture; 1 are smaller \(--min-object-share\)"
    with pytest.raises(ValueError, match=message):
        open_data(CONFIG, small)
    nothing = write_coco(train={"a": (20, 30)}, annotations=[], name="nothing")
    with pytest.raises(ValueError, match=r"there is no object in .* that covers at least 5.0% of its picture$"):
        open_data(CONFIG, nothing)
    (small / "val2017" / "a.png").unlink()
    with pytest.raises(ValueError, match=r"1 of the 1 pictures that .* lists are missing"):
        open_data(CONFIG, small)


def test_pictures_that_cannot_be_used_are_explained(write_coco, rectangle):
    root = write_coco(train={"a": (20, 30), "b": (20, 30)}, annotations=[rectangle("a", 0, 0, 10, 10)])
    data = open_data(CONFIG, root)
    file = root / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["images"][0]["height"] = 25
    file.write_text(json.dumps(content))
    other = open_data(CONFIG, root)
    with pytest.raises(
        ValueError, match=r"a.png cannot be evaluated: it has 20 x 30 pixels .* but 25 x 30 in .*resume"
    ):
        read_evaluated_picture(other.part, 0, max_pixels=1000)
    (root / "val2017" / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b.png cannot be evaluated: .*; mend it and go on with --resume"):
        read_evaluated_picture(data.part, 1, max_pixels=1000)
