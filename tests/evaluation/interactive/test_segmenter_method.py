import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from rmae.evaluation.interactive.method import Click
from rmae.evaluation.interactive.segmenter_method import SegmenterMethod
from rmae.interactive.prompts import Prompt
from rmae.interactive.segmenter import Segmenter

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
CLICKS = [Click(30.5, 10.5, True), Click(5.5, 30.5, False)]


@pytest.fixture
def segmenter(build_tiny) -> Segmenter:
    return Segmenter(build_tiny())


def test_clicks_become_marks(segmenter: Segmenter):
    method = SegmenterMethod(segmenter, Fabric(accelerator="cpu"))
    method.set_image(PICTURE, "any")
    marks = Prompt(points_xy=((30.5, 10.5), (5.5, 30.5)), positive=(True, False))
    expected = segmenter.segment(segmenter.embed(PICTURE), marks)
    answer = method.segment(CLICKS)
    np.testing.assert_array_equal(answer.mask, expected.mask)
    assert answer.confidence == expected.confidence
    others = [
        segmenter.segment(segmenter.embed(PICTURE), other).confidence
        for other in (
            Prompt(points_xy=((30.5, 10.5), (5.5, 30.5)), positive=(True, True)),
            Prompt(points_xy=((10.5, 30.5), (30.5, 5.5)), positive=(True, False)),
        )
    ]
    assert answer.confidence not in others  # so that what is compared differs where a mark does


def test_maps_are_completed_where_it_is_likely(segmenter: Segmenter):
    method = SegmenterMethod(segmenter, Fabric(accelerator="cpu"))
    method.set_image(PICTURE, "any")
    visible = np.zeros(16, bool)
    visible[[3, 6]] = True
    region = np.zeros((32, 32), bool)
    region[10:14, 18:24] = True
    completed = method.complete(region, visible)
    np.testing.assert_array_equal(completed, segmenter.complete(segmenter.embed(PICTURE), region, visible) >= 0.5)
    assert completed.dtype == np.bool_
    assert completed[10:14, 18:24].all()


def test_the_arithmetic_is_that_of_the_run(segmenter: Segmenter):
    found = {}
    for precision in ("32-true", "bf16-mixed"):
        method = SegmenterMethod(segmenter, Fabric(accelerator="cpu", precision=precision))
        method.set_image(PICTURE, "any")
        found[precision] = method.segment(CLICKS).confidence
    assert found["32-true"] != found["bf16-mixed"]
    assert found["32-true"] == pytest.approx(found["bf16-mixed"], abs=0.05)
    assert not torch.is_autocast_enabled("cpu")
