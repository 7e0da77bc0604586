"""Drawings of an evaluation's figures."""

from collections.abc import Mapping, Sequence

from rmae.evaluation.confidence import MeanInterval
from rmae.evaluation.interactive.method_names import NEAREST
from rmae.evaluation.interactive.scores import Calibration, MethodSummary, Summary
from rmae.visual.score_curves import CalibrationCurve, CalibrationPoint, ScoreCurve, calibration_plot, score_curves

_LOOK_OF_CONTROL = 6  # grey


def iou_by_click(methods: Sequence[MethodSummary], titles: Mapping[str, str]) -> str:
    """Draw the mean IoU after each click, one line a method; HTML."""
    num_clicks = len(methods[0].by_click.mean)
    return score_curves(
        range(1, num_clicks + 1),
        [_curve(titles[method.name], method.by_click, look) for look, method in enumerate(methods)],
        title="Mean IoU against the number of clicks",
        across="clicks",
        up="mean IoU",
        prefix="clicks",
        whole_numbers=True,
    )


def iou_by_share(summary: Summary, titles: Mapping[str, str]) -> str:
    """Draw the mean IoU on hidden patches against the share of visible ones, one line a model or control; HTML."""
    looks = {method.name: look for look, method in enumerate(summary.methods)} | {NEAREST: _LOOK_OF_CONTROL}
    return score_curves(
        summary.visible_shares,
        [_curve(titles[each.name], each.hidden, looks[each.name]) for each in summary.completing()],
        title="Mean IoU on hidden patches against the share of visible patches",
        across="visible patches",
        up="mean IoU on hidden patches",
        prefix="shares",
    )


def calibration(methods: Sequence[MethodSummary], titles: Mapping[str, str]) -> str:
    """Draw what was true against what was expected, one line a method that expects something; HTML."""
    return calibration_plot(
        [
            CalibrationCurve(titles[method.name], _points(method.calibration), look)
            for look, method in enumerate(methods)
            if method.calibration is not None
        ],
        title="True IoU against the IoU that was expected",
        across="expected IoU",
        up="true IoU",
        prefix="calibration",
    )


def _curve(title: str, means: MeanInterval, look: int) -> ScoreCurve:
    return ScoreCurve(title, means.mean, means.low, means.high, look)


def _points(found: Calibration) -> list[CalibrationPoint]:
    total = sum(each.num_answers for each in found.bins)
    return [CalibrationPoint(each.confidence, each.iou, each.num_answers / total) for each in found.bins]
