"""Repeat factors against a computation by hand, and how often pictures come."""

from collections import Counter
from math import sqrt

import numpy as np
import pytest

from rmae.config import EncoderConfig
from rmae.config.detection import DetectConfig
from rmae.data.order import SampleKey
from rmae.evaluation.detection.data import open_data
from rmae.evaluation.detection.repetition import Repetition, repeat_factors
from rmae.evaluation.detection.samples import build_samples


def test_factors_are_those_of_the_rarest_category(write_coco, rectangle):
    """Five pictures: category 1 in four of them, 2 in two, 3 in one; threshold 0.9.

    1: sqrt(0.9 / 0.8); 2: sqrt(0.9 / 0.4) = 1.5; 3: sqrt(0.9 / 0.2).
    """
    held = {"a": [1, 1], "b": [1, 2], "c": [1], "d": [1, 2, 3], "e": [3]}
    entries = [rectangle(picture, 1, 1, 5, 5, category=c) for picture, found in held.items() for c in found]
    entries[-1]["iscrowd"] = 1  # the 3 in e stands for a crowd, which does not count
    categories = [{"id": i, "name": str(i)} for i in (1, 2, 3)]
    config = DetectConfig(empty_pictures=True)
    pictures = {name: (20, 20) for name in held}
    data = open_data(config, write_coco(train=pictures, annotations=entries, categories=categories))
    factors = repeat_factors(data.train.objects, data.train_rows, 0.9)
    once = sqrt(0.9 / 0.8)
    assert factors == pytest.approx([once, 1.5, once, sqrt(0.9 / 0.2), 1])
    assert repeat_factors(data.train.objects, data.train_rows, 0.2).tolist() == [1] * 5  # nothing is rarer
    some = repeat_factors(data.train.objects, data.train_rows[:4], 0.9)  # shares are of the pictures trained on
    assert some == pytest.approx([1, sqrt(0.9 / 0.5), 1, sqrt(0.9 / 0.25)])


def test_the_samples_of_an_epoch_stand_on_the_ring_at_a_distance_of_one(monkeypatch):
    """By hand: pictures at [0, 1), [1, 2.5) and [2.5, 4.5), and samples from 4.3 on, so 4.3, 0.8, 1.8 and 2.8."""

    class Fixed:
        def uniform(self, low, high):
            assert (low, high) == (0, 4.5)
            return 4.3

    monkeypatch.setattr("numpy.random.default_rng", lambda seeds: Fixed())
    repetition = Repetition(np.array([1, 1.5, 2]), seed=0)
    assert len(repetition) == 4
    assert [repetition.place(0, index) for index in range(4)] == [(2, 1), (0, 0), (1, 0), (2, 0)]


def test_pictures_come_as_often_as_their_factors_say():
    factors = np.array([1, 1, 2.3, 1, 1.5, 4.9, 1])
    repetition = Repetition(factors, seed=3)
    total, num_epochs = Counter(), 400
    for epoch in range(num_epochs):
        places = [repetition.place(epoch, index) for index in range(len(repetition))]
        assert len(set(places)) == len(places)  # no two samples draw the same numbers
        counts = Counter(picture for picture, _ in places)
        short = [p for p, factor in enumerate(factors) if not np.floor(factor) <= counts[p] <= np.ceil(factor)]
        assert len(short) <= 1  # where the ring closes
        assert all(copy < repetition.most_copies for _, copy in places)
        total.update(counts)
    expected = factors * len(repetition) / factors.sum()
    assert [total[p] / num_epochs for p in range(7)] == pytest.approx(expected, abs=0.08)


def test_an_epoch_is_a_function_of_seed_and_number():
    factors = np.array([1, 1.5, 2.7, 1])

    def epoch(seed, number):
        repetition = Repetition(factors, seed=seed)
        return [repetition.place(number, index) for index in range(len(repetition))]

    assert epoch(0, 5) == epoch(0, 5)
    assert len({str(epoch(seed, number)) for seed in range(3) for number in range(3)}) > 3


def test_repeated_samples_of_a_picture_differ_and_are_reproducible(write_coco, rectangle):
    entries = [rectangle("a", 1, 1, 15, 15), rectangle("b", 1, 1, 15, 15), rectangle("c", 1, 1, 15, 15, category=2)]
    config = DetectConfig(encoder=EncoderConfig(img_size=32), repeat_threshold=1.0)
    data = open_data(config, write_coco(train={i: (20, 20) for i in "abc"}, annotations=entries))
    # Category 2 is in one of three pictures: c comes sqrt(3) times, the others sqrt(1.5) times.
    samples = build_samples(config, data, pixel_mean=(0.5, 0.5, 0.5), seed=0)
    assert len(samples) == int(2 * sqrt(1.5) + sqrt(3))
    images = [samples[SampleKey(epoch, index)].sample.image.tobytes() for epoch in range(5) for index in range(4)]
    assert len(set(images)) == 20
    again = build_samples(config, data, pixel_mean=(0.5, 0.5, 0.5), seed=0)
    assert again[SampleKey(2, 1)].sample.image.tobytes() == images[9]
