"""What came of an evaluation as JSON."""

from pathlib import Path
from typing import Any

from rmae.evaluation.confidence import MeanInterval
from rmae.evaluation.folder import estimates_to_json, read_figures
from rmae.evaluation.interactive.data import Choice
from rmae.evaluation.interactive.method_names import MODEL
from rmae.evaluation.interactive.scores import Calibration, MethodSummary, SharesSummary, Summary, estimates, share_name
from rmae.files import write_json
from rmae.quoting import quoted

RESULTS = "interactive.json"
"""Name of the file with all that was measured, in the evaluation's folder."""
FORMAT_VERSION = 1
"""Version of the file."""


def write_results(summary: Summary, choice: Choice, path: Path) -> None:
    """Write everything that was measured; NaN becomes null."""
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
    write_json(path, saved)


def read_baselines(folder: Path) -> dict[str, dict[str, float]]:
    """Read what `write_results` left in an evaluation's folder of the methods and controls beside the model under test.

    Returns:
        By the method's name and the scores' names, `iou_1` and so on, those that are defined; to be compared with the
        model's scores of the same names.

    Raises:
        ValueError: The file is missing, or is no such file.
    """
    return read_figures(folder / RESULTS, _baselines)


def _baselines(saved: Any) -> dict[str, dict[str, float]]:
    visible = [f"visible_iou_{share_name(share)}" for share in saved["visible_shares"]]
    found = [(each["name"], each["scores"].items()) for each in saved["methods"]]
    found += [(each["name"], zip(visible, each["iou_hidden"], strict=True)) for each in saved["completion"]]
    baselines: dict[str, dict[str, float]] = {}
    for method, scores in found:
        if not isinstance(method, str):
            raise TypeError(f"a method is called {quoted(method)}")
        if method != MODEL:
            defined = {name: float(estimate["value"]) for name, estimate in scores if estimate["value"] is not None}
            baselines.setdefault(method, {}).update(defined)
    return baselines


def _of_method(method: MethodSummary) -> dict[str, Any]:
    return {
        "name": method.name,
        "scores": estimates_to_json(method.scores),
        "differences_to_model": estimates_to_json(method.differences),
        "iou_by_click": _of_means(method.by_click),
        "calibration": None if method.calibration is None else _of_calibration(method.calibration),
        "seconds_per_picture": method.seconds_per_picture,
        "seconds_per_click": method.seconds_per_click,
    }


def _of_shares(shares: SharesSummary) -> dict[str, Any]:
    return {
        "name": shares.name,
        "iou_hidden": _of_means(shares.hidden),
        "iou_whole": _of_means(shares.whole),
        "hidden_differences_to_model": [each._asdict() for each in shares.differences],
    }


def _of_calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "confidence": calibration.confidence,
        "iou": calibration.iou,
        "error": calibration.error,
        "correlation": calibration.correlation,
        "bins": [each._asdict() for each in calibration.bins],
    }


def _of_means(means: MeanInterval) -> list[dict[str, float]]:
    return [each._asdict() for each in estimates(means)]
