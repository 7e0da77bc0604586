import numpy as np
import pytest

from rmae.data.images import UnreadableImage
from rmae.data.order import SampleKey
from rmae.data.training_samples import TrainingSamples

NAMES = ("a", "b", "c", "d")


def make(index: int, generator: np.random.Generator) -> tuple[str, int]:
    if NAMES[index] == "b":
        raise UnreadableImage("it is torn")
    return NAMES[index], int(generator.integers(1000))


def never(index: int, generator: np.random.Generator) -> None:
    raise UnreadableImage("it is torn")


def test_a_sample_is_a_function_of_its_key():
    samples = TrainingSamples(NAMES, make, seed=1, where="here")
    assert len(samples) == 4
    key = SampleKey(epoch=2, index=3)
    assert samples[key] == samples[key]
    assert samples[key].sample[0] == "d"
    assert samples[key] != samples[SampleKey(epoch=3, index=3)]
    assert samples[key] != TrainingSamples(NAMES, make, seed=2, where="here")[key]


def test_a_picture_that_cannot_be_used_is_replaced_and_listed():
    made = TrainingSamples(NAMES, make, seed=1, where="here")[SampleKey(epoch=0, index=1)]
    assert made.sample[0] in "acd"
    assert made.skipped
    assert {(skipped.name, skipped.reason) for skipped in made.skipped} == {("b", "it is torn")}


def test_where_nothing_can_be_used_one_sentence_says_so():
    samples = TrainingSamples(NAMES, never, seed=1, where="the folder x")
    with pytest.raises(ValueError, match=r"50 images drawn in a row from the folder x could not be used; .*it is torn"):
        samples[SampleKey(epoch=0, index=0)]
