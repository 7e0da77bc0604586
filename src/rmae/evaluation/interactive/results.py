"""What came of an evaluation as JSON."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmae.evaluation.confidence import MeanInterval
from rmae.evaluation.folder import Estimate
from rmae.evaluation.interactive.data import Choice
from rmae.evaluation.interactive.scores import Calibration, MethodSummary, SharesSummary, Summary, estimates
from rmae.files import write_atomically

FORMAT_VERSION = 1
"""Version of the file."""


def write_results(summary: Summary, choice: Choice, path: Path) -> None:
    """Write everything that was measured; what is not a number becomes null."""
    saved = {
        "format": "interactive evaluation",
        "version": FORMAT_VERSION,
        "objects": summary.num_objects,
        "pictures": summary.num_pictures,
        "eligible_objects": choice.num_eligible,
        "small_objects": choice.num_small,
        "methods": [_of_method(method) for method in summary.methods],
        "visible_shares": list(summary.visible_shares),
        "completion": [_of_shares(shares) for shares in summary.shares],
    }
    write_atomically(path, json.dumps(saved, indent=2, allow_nan=False) + "\n")


def _of_method(method: MethodSummary) -> dict[str, Any]:
    return {
        "name": method.name,
        "scores": _of_scores(method.scores),
        "differences_to_model": _of_scores(method.differences),
        "iou_by_click": _of_means(method.by_click),
        "calibration": None if method.calibration is None else _of_calibration(method.calibration),
        "seconds_per_picture": _number(method.seconds_per_picture),
        "seconds_per_click": _number(method.seconds_per_click),
    }


def _of_shares(shares: SharesSummary) -> dict[str, Any]:
    return {
        "name": shares.name,
        "iou_hidden": _of_means(shares.hidden),
        "iou_whole": _of_means(shares.whole),
        "hidden_differences_to_model": [_of_estimate(each) for each in shares.differences],
    }


def _of_calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "confidence": calibration.confidence,
        "iou": calibration.iou,
        "error": calibration.error,
        "correlation": _number(calibration.correlation),
        "bins": [each._asdict() for each in calibration.bins],
    }


def _of_means(means: MeanInterval) -> list[dict[str, float | None]]:
    return [_of_estimate(each) for each in estimates(means)]


def _of_scores(scores: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: _of_estimate(estimate) for name, estimate in scores.items()}


def _of_estimate(estimate: Estimate) -> dict[str, float | None]:
    return {name: _number(value) for name, value in estimate._asdict().items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
