"""From what came of objects to scores, with intervals and differences."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from rmae.evaluation.confidence import MeanInterval, bootstrap
from rmae.evaluation.folder import Estimate
from rmae.evaluation.interactive.method_names import MODEL, NOTHING
from rmae.evaluation.interactive.picture_results import ObjectResult, PictureResult

REPORTED_CLICKS = (1, 3, 5, 10, 20)
"""Numbers of clicks after which the mean IoU is a score."""
GOOD_IOUS = (0.80, 0.85, 0.90)
"""IoU that are to be reached."""
JUDGED_CLICKS = (1, 3, 5)
"""Clicks after which what a method expects is compared with what is true."""
_BINS = 10


class Bin(NamedTuple):
    """Answers of about the same confidence."""

    confidence: float
    """Mean."""
    iou: float
    """Mean."""
    num_answers: int
    """At least 1."""


class Calibration(NamedTuple):
    """What a method expected beside what was true, over the answers after 1, 3 and 5 clicks."""

    confidence: float
    """Mean."""
    iou: float
    """Mean of the same answers."""
    error: float
    """Mean distance of the two over ten bins of equal width, each weighted by its answers."""
    correlation: float
    """Pearson's, over the answers; NaN where one of the two does not vary."""
    bins: tuple[Bin, ...]
    """By confidence, those with answers."""


class MethodSummary(NamedTuple):
    """How well a method found objects."""

    name: str
    scores: dict[str, Estimate]
    """By name, `iou_1` first: mean IoU after so many clicks, clicks until an IoU is reached, share that never do."""
    differences: dict[str, Estimate]
    """To the model under test on the same objects, this one's score minus the model's; none for the model itself."""
    by_click: MeanInterval
    """Mean IoU after each click."""
    calibration: Calibration | None
    """None where the method expects nothing."""
    seconds_per_picture: float
    """Median over the pictures."""
    seconds_per_click: float
    """The same; NaN where there was no click."""


class SharesSummary(NamedTuple):
    """How well maps were completed, for each of k shares of visible patches."""

    name: str
    """Of a model or control."""
    hidden: MeanInterval
    """IoU in hidden patches."""
    whole: MeanInterval
    """IoU in the whole map."""
    differences: tuple[Estimate, ...]
    """In hidden patches to the model under test, this one's IoU minus the model's; none for the model itself."""


class Summary(NamedTuple):
    """What came of an evaluation."""

    num_objects: int
    num_pictures: int
    methods: tuple[MethodSummary, ...]
    """The model under test first."""
    shares: tuple[SharesSummary, ...]
    """The same; none where no shares were asked for."""
    visible_shares: tuple[float, ...]
    """The shares."""

    def completing(self) -> tuple[SharesSummary, ...]:
        """All of `shares` but the control that adds nothing, whose IoU in hidden patches is 0."""
        return tuple(each for each in self.shares if each.name != NOTHING)

    def headline(self) -> dict[str, Estimate]:
        """The scores of the model under test, `iou_1` first."""
        scores = dict(self.methods[0].scores)
        if self.shares:
            for share, estimate in zip(self.visible_shares, estimates(self.shares[0].hidden), strict=True):
                scores[f"visible_iou_{share_name(share)}"] = estimate
        return scores


def share_name(share: float) -> str:
    """A share in (0, 1) in percent, as names of scores have it: 02 of 0.02, 12.5 of 0.125."""
    whole, dot, rest = f"{100 * share:.6g}".partition(".")
    return whole.zfill(2) + dot + rest


def summarise(
    results: Sequence[PictureResult], *, visible_shares: tuple[float, ...], num_resamples: int, seed: int
) -> Summary:
    """Put the results of all pictures together.

    Args:
        results: At least one object on them.
        visible_shares: The shares of visible patches.
        num_resamples: For the intervals.
        seed: For these, >= 0.
    """
    objects = [each for result in results for each in result.objects]
    groups = np.array([result.row for result in results for _ in result.objects])
    intervals = _Intervals(groups, num_resamples, seed)
    values = {name: _values(objects, name) for name in objects[0].clicks}
    methods = tuple(_summarise_method(name, values, results, intervals) for name in values)
    shares = ()
    if visible_shares:
        shares = tuple(_summarise_shares(name, objects, intervals) for name in objects[0].shares)
    num_pictures = len(np.unique(groups))
    return Summary(len(objects), num_pictures, methods, shares, visible_shares)


def click_scores(iou: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of each object.

    Args:
        iou: After each click, shape (n, k) float64.

    Returns:
        By name, shape (n,) float64 each: `iou_C` after C clicks; `clicks_NN`, the first click at which an IoU of NN %
        is reached, k where it never is; `failures_NN`, 1 where it never is and else 0.
    """
    num_clicks = iou.shape[1]
    scores: dict[str, np.ndarray] = {
        f"iou_{click}": iou[:, click - 1] for click in REPORTED_CLICKS if click <= num_clicks
    }
    reached = {f"{100 * good:.0f}": iou >= good for good in GOOD_IOUS}
    for name, each in reached.items():
        first = np.where(each.any(axis=1), each.argmax(axis=1) + 1, num_clicks)
        scores[f"clicks_{name}"] = first.astype(np.float64)
    for name, each in reached.items():
        scores[f"failures_{name}"] = np.asarray(~each.any(axis=1), np.float64)
    return scores


def calibrate(confidence: np.ndarray, iou: np.ndarray) -> Calibration | None:
    """Compare what was expected with what was true.

    Args:
        confidence: Shape (n,) float64 in [0, 1], NaN where nothing was expected.
        iou: The same shape, in [0, 1].

    Returns:
        None where nothing was expected of any.
    """
    expected = ~np.isnan(confidence)
    confidence, iou = confidence[expected], iou[expected]
    if not len(confidence):
        return None
    places = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    bins = tuple(
        Bin(float(confidence[inside].mean()), float(iou[inside].mean()), int(inside.sum()))
        for inside in (places == place for place in np.unique(places))
    )
    error = sum(each.num_answers * abs(each.confidence - each.iou) for each in bins) / len(confidence)
    varies = confidence.std() > 0 and iou.std() > 0
    correlation = float(np.corrcoef(confidence, iou)[0, 1]) if varies else math.nan
    return Calibration(float(confidence.mean()), float(iou.mean()), error, correlation, bins)


def estimates(intervals: MeanInterval) -> tuple[Estimate, ...]:
    """Each of k means with its interval."""
    return tuple(Estimate(*map(float, each)) for each in zip(*intervals, strict=True))


class _Intervals:
    """Intervals over the pictures, always from the same resamples."""

    def __init__(self, groups: np.ndarray, num_resamples: int, seed: int) -> None:
        self._groups = groups
        self._num_resamples = num_resamples
        self._seed = seed

    def of(self, values: np.ndarray) -> MeanInterval:
        generator = np.random.default_rng(self._seed)
        return bootstrap(values, self._groups, generator=generator, num_resamples=self._num_resamples)

    def by_name(self, values: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
        return dict(zip(values, estimates(self.of(np.stack(list(values.values()), axis=1))), strict=True))


class _Values(NamedTuple):
    iou: np.ndarray
    confidence: np.ndarray


def _values(objects: Sequence[ObjectResult], name: str) -> _Values:
    return _Values(
        np.array([each.clicks[name].iou for each in objects]),
        np.array([each.clicks[name].confidence for each in objects], dtype=np.float64),
    )


def _summarise_method(
    name: str,
    values: Mapping[str, _Values],
    results: Sequence[PictureResult],
    intervals: _Intervals,
) -> MethodSummary:
    iou, confidence = values[name]
    scores, of_model = click_scores(iou), click_scores(values[MODEL].iou)
    differences = {} if name == MODEL else {score: scores[score] - of_model[score] for score in scores}
    judged = [click - 1 for click in JUDGED_CLICKS if click <= iou.shape[1]]
    seconds = [result.seconds[name] for result in results if result.objects]
    return MethodSummary(
        name=name,
        scores=intervals.by_name(scores),
        differences=intervals.by_name(differences) if differences else {},
        by_click=intervals.of(iou),
        calibration=calibrate(confidence[:, judged].ravel(), iou[:, judged].ravel()),
        seconds_per_picture=median(each.picture for each in seconds),
        seconds_per_click=median(each.click for each in seconds),
    )


def _summarise_shares(name: str, objects: Sequence[ObjectResult], intervals: _Intervals) -> SharesSummary:
    hidden, of_model = (np.array([each.shares[which].hidden for each in objects]) for which in (name, MODEL))
    whole = np.array([each.shares[name].whole for each in objects])
    differences = () if name == MODEL else estimates(intervals.of(hidden - of_model))
    return SharesSummary(name, intervals.of(hidden), intervals.of(whole), differences)
