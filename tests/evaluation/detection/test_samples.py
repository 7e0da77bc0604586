import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from rmae.config import EncoderConfig, ReadingConfig
from rmae.config.detection import DetectConfig
from rmae.data.order import SampleKey
from rmae.data.training_samples import Made
from rmae.evaluation.detection.data import open_data
from rmae.evaluation.detection.samples import Sample, build_samples, collate
from rmae.ops.bits import unpack_bits

CONFIG = DetectConfig(encoder=EncoderConfig(img_size=32), jitter=(1.0, 1.0), flip=0.0)
MEAN = (0.5, 0.25, 1.0)


def samples_of(root, config=CONFIG, seed=0):
    return build_samples(config, open_data(config, root), pixel_mean=MEAN, seed=seed)


def test_a_sample_has_boxes_labels_and_masks_of_its_picture(write_coco, rectangle):
    entries = [
        rectangle("a", 2, 4, 6, 8, category=2),
        rectangle("a", 0, 0, 9, 9, iscrowd=1),
        rectangle("a", 8, 0, 16, 3),
    ]
    sample, skipped = samples_of(write_coco(train={"a": (8, 16)}, annotations=entries))[SampleKey(0, 0)]
    assert skipped == ()
    assert sample.image.shape == (3, 32, 32)
    assert sample.image[:, 16:].reshape(3, -1).T.tolist() == [[128, 64, 255]] * (16 * 32)  # below the picture
    assert sample.labels.tolist() == [2, 1]  # the crowd is left out
    assert sample.boxes_xyxy.tolist() == [[4, 8, 12, 16], [16, 0, 32, 6]]  # twice as large
    masks = np.unpackbits(sample.masks, axis=-1).astype(bool)
    expected = np.zeros((2, 32, 32), bool)
    expected[0, 8:16, 4:12] = expected[1, 0:6, 16:32] = True
    assert np.array_equal(masks, expected)


def test_boxes_are_those_of_what_is_left_and_what_has_nothing_left_is_dropped(write_coco, rectangle):
    entries = [rectangle("a", 0, 0, 12, 12), rectangle("a", 14, 14, 16, 16, category=2)]
    config = replace(CONFIG, jitter=(2.0, 2.0))
    samples = samples_of(write_coco(train={"a": (16, 16)}, annotations=entries), config)
    seen = set()
    for index in range(60):
        sample = samples[SampleKey(index, 0)].sample
        masks = np.unpackbits(sample.masks, axis=-1).astype(bool)
        for box, mask in zip(sample.boxes_xyxy, masks, strict=True):
            rows, columns = np.nonzero(mask)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert mask.sum() >= 4
        seen.add(tuple(sample.labels.tolist()))
    assert {(1,), (1, 2)} <= seen


def test_objects_too_small_to_be_seen_are_dropped(write_coco, rectangle):
    entries = [rectangle("a", 0, 0, 3, 3), rectangle("a", 20, 20, 60, 60)]
    sample = samples_of(write_coco(train={"a": (64, 64)}, annotations=entries))[SampleKey(0, 0)].sample
    assert sample.boxes_xyxy.tolist() == [[10, 10, 30, 30]]


def test_a_sample_is_a_function_of_its_key(write_coco, rectangle):
    entries = [rectangle("a", 2, 4, 16, 18), rectangle("b", 2, 4, 16, 18)]
    root = write_coco(train={"a": (20, 20), "b": (20, 20)}, annotations=entries)
    config = replace(CONFIG, jitter=(0.1, 2.0), flip=0.5)
    first, again, other = samples_of(root, config), samples_of(root, config), samples_of(root, config, seed=1)
    for key in (SampleKey(0, 0), SampleKey(0, 1), SampleKey(3, 0)):
        assert np.array_equal(first[key].sample.image, again[key].sample.image)
        assert not np.array_equal(first[key].sample.image, other[key].sample.image)
    assert not np.array_equal(first[SampleKey(0, 0)].sample.image, first[SampleKey(1, 0)].sample.image)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "the file is missing"),
        (lambda path: path.write_bytes(b"no picture"), "it is not an image"),
        (lambda path: Image.new("RGB", (30, 21)).save(path), r"it has 21 x 30 pixels \(height x width\), but 20 x 30"),
    ],
)
def test_pictures_that_cannot_be_used_are_replaced_and_listed(write_coco, rectangle, spoil, reason):
    entries = [rectangle("a", 1, 1, 15, 15), rectangle("b", 1, 1, 15, 15, category=2)]
    root = write_coco(train={"a": (20, 30), "b": (20, 30)}, annotations=entries)
    samples = samples_of(root)
    spoil(root / "train2017" / "a.png")
    sample, skipped = samples[SampleKey(0, 0)]
    assert sample.labels.tolist() == [2]
    assert {each.name for each in skipped} == {"a.png"}
    assert all(re.match(reason, each.reason) for each in skipped)


def test_a_malformed_mask_spoils_its_own_picture_only(write_coco, rectangle):
    broken = {"size": [20, 30], "counts": [1, 2]}
    entries = [rectangle("a", 1, 1, 15, 15, segmentation=broken), rectangle("b", 1, 1, 15, 15, category=2)]
    samples = samples_of(write_coco(train={"a": (20, 30), "b": (20, 30)}, annotations=entries))
    sample, skipped = samples[SampleKey(0, 0)]
    assert sample.labels.tolist() == [2]
    assert "an object of a.png" in skipped[0].reason


def test_pictures_that_are_too_large_are_skipped(write_coco, rectangle):
    entries = [rectangle("a", 1, 1, 15, 15), rectangle("b", 1, 1, 5, 5)]
    root = write_coco(train={"a": (20, 30), "b": (8, 8)}, annotations=entries)
    config = replace(CONFIG, reading=ReadingConfig(max_pixels=100))
    assert samples_of(root, config)[SampleKey(0, 0)].skipped[0].name == "a.png"


def test_a_batch_holds_pictures_and_all_objects_in_a_row(write_coco, rectangle):
    entries = [rectangle("a", 1, 1, 15, 15), rectangle("a", 2, 2, 9, 9), rectangle("c", 1, 1, 15, 15, category=2)]
    config = replace(CONFIG, empty_pictures=True)
    samples = samples_of(write_coco(train={i: (20, 20) for i in "abc"}, annotations=entries), config)
    made = [samples[SampleKey(0, index)] for index in range(3)]
    batch = collate(made)
    assert batch.counts == (2, 0, 1)
    images, boxes, labels, masks = batch.to(torch.device("cpu")).tensors()
    assert images.shape == (3, 3, 32, 32)
    assert images.dtype == torch.uint8
    for each, box, label, mask in zip(made, boxes, labels, masks, strict=True):
        assert np.array_equal(box.numpy(), each.sample.boxes_xyxy)
        assert np.array_equal(label.numpy(), each.sample.labels)
        assert np.array_equal(unpack_bits(mask, 32), np.unpackbits(each.sample.masks, axis=-1).astype(bool))


def test_batches_can_come_from_other_processes(write_coco, rectangle):
    samples = samples_of(write_coco(train={"a": (20, 20)}, annotations=[rectangle("a", 1, 1, 15, 15)]))
    loader = DataLoader(samples, batch_sampler=[[SampleKey(0, 0)]], num_workers=1, collate_fn=collate)
    (batch,) = list(loader)
    assert batch.boxes_xyxy.tolist() == collate([samples[SampleKey(0, 0)]]).boxes_xyxy.tolist()


def test_an_epoch_without_an_object_can_be_put_into_a_batch():
    empty = Sample(
        np.zeros((3, 32, 32), np.uint8),
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.int64),
        np.zeros((0, 32, 4), np.uint8),
    )
    batch = collate([Made(empty, ()), Made(empty, ())])
    assert [len(each) for each in batch.tensors()[1]] == [0, 0]
