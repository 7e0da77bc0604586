"""What the folders of runs and evaluations tell about the weights that came out of them."""

import json
from pathlib import Path
from typing import Any

from rmae.models.model_card import EvaluationRecord, RunRecord

_RESULTS = ("evaluation results", 1)
"""Format and version of a `results.json`."""


def read_run_record(run: Path) -> RunRecord:
    """Read what a run's folder tells.

    Raises:
        ValueError: There is no run in the folder, or its metrics are damaged.
    """
    saved = _read_run(run)
    metrics = run / "metrics.jsonl"
    try:
        # The last line may be cut short by a kill.
        lines = [line for line in metrics.read_text(encoding="utf-8").splitlines(keepends=True) if line[-1] == "\n"]
        last = json.loads(lines[-1]) if lines else {}
    except FileNotFoundError:
        last = {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{metrics} cannot be read ({error})") from error
    return RunRecord(saved["config"], str(saved.get("images", "")), last)


def _read_run(run: Path) -> dict[str, Any]:
    file = run / "config.json"
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        if saved["format"] != "run":
            raise ValueError(f"it is a {saved['format']}")
        if not isinstance(saved["config"], dict):
            raise ValueError("it has no configuration")
    except FileNotFoundError:
        raise ValueError(f"there is no run in {run}: {file.name} is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not describe a run ({error})") from error
    return saved


def read_results(file: Path) -> EvaluationRecord:
    """Read an evaluation's `results.json`.

    Raises:
        ValueError: It is missing, or something else.
    """
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        if (saved["format"], saved["version"]) != _RESULTS:
            raise ValueError(f"it is {saved['format']}, version {saved['version']}")
        scores = {str(name): (_number(score["mean"]), _number(score["std"])) for name, score in saved["scores"].items()}
        return EvaluationRecord(str(saved["task"]), Path(saved["data"]).name, len(saved["seeds"]), scores)
    except FileNotFoundError:
        raise ValueError(f"there are no results at {file}; name the results.json of an evaluation") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} does not hold the results of an evaluation ({error})") from error


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
