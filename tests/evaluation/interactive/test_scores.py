import math

import numpy as np
import pytest

from rmae.evaluation.interactive.picture_results import ClickScores, ObjectResult, PictureResult, Seconds
from rmae.evaluation.interactive.scores import calibrate, click_scores, share_name, summarise
from rmae.evaluation.interactive.visible_shares import SharesIou


def test_clicks_count_to_the_first_time_that_an_iou_is_reached():
    iou = np.array(
        [
            [0.1, 0.8, 0.84, 0.95, 0.5],  # it may fall again
            [1.0, 1.0, 1.0, 1.0, 1.0],
            [0.2, 0.3, 0.4, 0.5, 0.79],
            [0.0, 0.0, 0.0, 0.0, 0.9],
        ]
    )
    found = {name: values.tolist() for name, values in click_scores(iou).items()}
    assert found == {
        "iou_1": [0.1, 1, 0.2, 0],
        "iou_3": [0.84, 1, 0.4, 0],
        "iou_5": [0.5, 1, 0.79, 0.9],
        "clicks_80": [2, 1, 5, 5],
        "clicks_85": [4, 1, 5, 5],
        "clicks_90": [4, 1, 5, 5],
        "failures_80": [0, 0, 1, 0],
        "failures_85": [0, 0, 1, 0],
        "failures_90": [0, 0, 1, 0],
    }
    assert next(iter(found)) == "iou_1"
    assert "iou_20" in click_scores(np.ones((1, 20)))
    assert list(click_scores(np.ones((1, 1))))[:2] == ["iou_1", "clicks_80"]


@pytest.mark.parametrize(
    ("share", "name"), [(0.02, "02"), (0.1, "10"), (0.75, "75"), (0.125, "12.5"), (0.005, "00.5"), (0.07, "07")]
)
def test_shares_are_named_in_percent(share: float, name: str):
    assert share_name(share) == name


def test_calibration_is_counted_in_ten_bins():
    confidence = np.array([0.12, 0.18, 0.55, 0.95, 1.0, math.nan])
    iou = np.array([0.1, 0.5, 0.55, 0.8, 0.6, 0.9])
    found = calibrate(confidence, iou)
    assert found is not None
    assert found.confidence == pytest.approx(confidence[:5].mean())
    assert found.iou == pytest.approx(iou[:5].mean())
    assert [each.num_answers for each in found.bins] == [2, 1, 2]
    assert [each.confidence for each in found.bins] == pytest.approx([0.15, 0.55, 0.975])
    assert [each.iou for each in found.bins] == pytest.approx([0.3, 0.55, 0.7])
    assert found.error == pytest.approx((2 * 0.15 + 0 + 2 * 0.275) / 5)
    assert found.correlation == pytest.approx(np.corrcoef(confidence[:5], iou[:5])[0, 1])


def test_calibration_of_constants_has_no_correlation_and_of_nothing_is_none():
    found = calibrate(np.array([0.5, 0.5]), np.array([0.2, 0.4]))
    assert found is not None
    assert math.isnan(found.correlation)
    assert calibrate(np.full(3, math.nan), np.ones(3)) is None


def result(row: int, *objects: ObjectResult) -> PictureResult:
    seconds = {"model": Seconds(0.1 * row, 0.01 * row), "grabcut": Seconds(0, 0.2)}
    return PictureResult(row=row, name=f"{row}.png", objects=objects, seconds=seconds)


def object_with(number: int, ours: tuple, theirs: tuple, hidden: float = math.nan) -> ObjectResult:
    expected = (0.5, 0.1, 0.7, 0.2, 0.9, 0.3)[: len(ours)]
    clicks = {"model": ClickScores(ours, expected), "grabcut": ClickScores(theirs, (math.nan,) * len(ours))}
    shares = {"model": SharesIou((hidden,), (0.5,)), "nearest": SharesIou((hidden / 2,), (0.25,))}
    return ObjectResult(number=number, clicks=clicks, shares=shares)


def test_results_are_put_together():
    results = [
        result(1, object_with(0, (0.2, 0.9), (0.4, 0.6), 0.6), object_with(1, (0.4, 0.8), (0.8, 1.0))),
        result(2),  # its mask turned out to be empty
        result(3, object_with(2, (0.9, 0.9), (0.3, 0.3), 0.2)),
    ]
    found = summarise(results, visible_shares=(0.1,), num_resamples=100, seed=0)
    assert (found.num_objects, found.num_pictures) == (3, 2)
    ours, theirs = found.methods
    assert ours.scores["iou_1"].value == pytest.approx(0.5)
    assert ours.scores["clicks_80"].value == pytest.approx(5 / 3)
    assert theirs.scores["failures_90"].value == pytest.approx(2 / 3)
    assert theirs.differences["iou_1"].value == pytest.approx((0.2 + 0.4 - 0.6) / 3)
    assert ours.differences == {}
    np.testing.assert_allclose(theirs.by_click.mean, [0.5, 1.9 / 3])
    assert (ours.seconds_per_picture, ours.seconds_per_click) == (pytest.approx(0.2), pytest.approx(0.02))
    assert ours.calibration is not None
    assert theirs.calibration is None
    assert found.headline()["visible_iou_10"].value == pytest.approx(0.4)
    model, nearest = found.shares
    assert (model.differences, nearest.differences[0].value) == ((), pytest.approx(-0.2))
    assert nearest.whole.mean[0] == 0.25
    assert next(iter(found.headline())) == "iou_1"


def test_calibration_is_of_the_answers_after_one_three_and_five_clicks():
    iou = (0.1, 0.9, 0.2, 0.9, 0.3, 0.9)
    found = summarise([result(1, object_with(0, iou, iou))], visible_shares=(), num_resamples=9, seed=0)
    calibration = found.methods[0].calibration
    assert calibration is not None
    assert (calibration.confidence, calibration.iou) == (pytest.approx(0.7), pytest.approx(0.2))


def test_intervals_are_over_the_pictures():
    """Of two pictures, whose objects are alike, each is drawn twice a quarter of the time."""
    results = [
        result(row, *(object_with(number, (iou,), (iou,)) for number in range(50))) for row, iou in ((1, 0.2), (2, 0.6))
    ]
    found = summarise(results, visible_shares=(), num_resamples=500, seed=0)
    score = found.methods[0].scores["iou_1"]
    assert score == pytest.approx((0.4, 0.2, 0.6))
    again = summarise(results, visible_shares=(), num_resamples=500, seed=0)
    assert again.methods[0].scores == found.methods[0].scores
    assert found.methods[1].differences["iou_1"] == (0, 0, 0)  # the same objects, so there is no doubt
    alone = summarise(results[:1], visible_shares=(), num_resamples=500, seed=0).methods[0].scores["iou_1"]
    assert alone.value == pytest.approx(0.2)
    assert math.isnan(alone.low)
