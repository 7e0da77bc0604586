from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.config import SegmentConfig
from rmae.data.order import SampleKey
from rmae.data.skips import Skipped
from rmae.data.training_samples import Made, TrainingSamples
from rmae.evaluation.segmentation.data import open_data
from rmae.evaluation.segmentation.labels import IGNORED, WrongLabels
from rmae.evaluation.segmentation.samples import SampleMaker, SegmentSample, collate

MEAN = (0.5, 0.4, 0.3)


def open_samples(config: SegmentConfig, root: Path, seed: int = 0) -> TrainingSamples[SegmentSample]:
    data = open_data(config, root).training
    return TrainingSamples(data.names, SampleMaker(data, config, pixel_mean=MEAN), seed=seed, where=str(root))


def test_a_sample_depends_on_its_key_and_seed_only(tiny_config: SegmentConfig, ade_root: Path):
    first, again, other = (open_samples(tiny_config, ade_root, seed) for seed in (0, 0, 1))
    keys = [SampleKey(epoch, index) for epoch in range(2) for index in range(8)]
    samples = [first[key].sample for key in keys]
    for key, sample in reversed(list(zip(keys, samples, strict=True))):
        np.testing.assert_array_equal(again[key].sample.image, sample.image)
        np.testing.assert_array_equal(again[key].sample.labels, sample.labels)
        assert (other[key].sample.image != sample.image).any()
        assert (sample.image.shape, sample.image.dtype) == ((3, 16, 16), np.uint8)
        assert (sample.labels.shape, sample.labels.dtype) == ((16, 16), np.int16)
    assert (samples[0].image != samples[8].image).any()  # the next epoch


def test_small_pictures_are_padded_with_the_mean_colour_and_ignored(tiny_config: SegmentConfig, ade_root: Path):
    config = replace(tiny_config, scale_range=(0.5, 0.5))
    sample = open_samples(config, ade_root)[SampleKey(0, 0)].sample  # of 20 x 30 pixels
    assert (sample.labels[8:] == IGNORED).all()
    assert (sample.labels[:, 12:] == IGNORED).all()
    assert (sample.labels[:8, :12] >= 0).any()
    np.testing.assert_array_equal(sample.image[:, 8:], np.broadcast_to([[[128]], [[102]], [[76]]], (3, 8, 16)))


def test_colours_are_jittered_and_labels_are_not(tiny_config: SegmentConfig, ade_root: Path):
    plain, jittered = (
        open_samples(replace(tiny_config, color_jitter=strength), ade_root)[SampleKey(0, 1)].sample
        for strength in (0.0, 1.0)
    )
    np.testing.assert_array_equal(plain.labels, jittered.labels)
    assert (plain.image != jittered.image).any()


def test_unreadable_pictures_and_labels_are_replaced_and_listed(tiny_config: SegmentConfig, ade_root: Path):
    samples = open_samples(tiny_config, ade_root)
    (ade_root / "images/training/1.png").write_bytes(b"no picture")
    (ade_root / "annotations/training/2.png").write_bytes(b"no labels")
    for index, reason in ((1, "it is not an image"), (2, "is not a PNG file")):
        made = samples[SampleKey(0, index)]
        assert made.skipped[0].name == f"images/training/{index}.png"
        assert reason in made.skipped[0].reason
        assert made.sample.image.shape == (3, 16, 16)


def test_labels_of_other_classes_end_the_run(tiny_config: SegmentConfig, ade_root: Path):
    samples = open_samples(tiny_config, ade_root)
    Image.new("L", (24, 24), 4).save(ade_root / "annotations/training/1.png")
    with pytest.raises(WrongLabels, match="holds the label 4, but the 3 classes have the labels 1 to 3"):
        samples[SampleKey(0, 1)]


def test_batches_are_stacked_as_stored():
    skipped = Skipped("a", "why")
    samples = [SegmentSample(np.full((3, 4, 5), i, np.uint8), np.full((4, 5), i - 1, np.int16)) for i in range(2)]
    batch = collate([Made(samples[0], ()), Made(samples[1], (skipped,))])
    assert (batch.images.shape, batch.images.dtype) == ((2, 3, 4, 5), torch.uint8)
    assert (batch.labels.shape, batch.labels.dtype) == ((2, 4, 5), torch.int16)
    assert batch.skipped == (skipped,)
    images, labels = batch.to(torch.device("cpu")).tensors()
    assert torch.equal(images, batch.images)
    assert labels[:, 0, 0].tolist() == [-1, 0]
