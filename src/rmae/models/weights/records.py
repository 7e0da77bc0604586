"""What the folders of runs and evaluations tell about the weights that came out of them."""

from pathlib import Path
from typing import Any

from rmae.files import parse_json, read_json
from rmae.models.model_card import EvaluationRecord, RunRecord
from rmae.quoting import one_line, quoted

_RESULTS = ("evaluation results", 1)
"""Format and version of a `results.json`."""
_LARGEST = 2**63
"""What whole numbers of metrics are below."""


def read_run_record(run: Path) -> RunRecord:
    """Read what a run's folder tells.

    Raises:
        ValueError: There is no run in the folder, or its metrics are damaged.
    """
    saved = _read_run(run)
    metrics = run / "metrics.jsonl"
    try:
        lines = read_metrics(metrics)
    except OSError as error:
        raise ValueError(f"{metrics} cannot be read ({one_line(error)})") from error
    return RunRecord(saved["config"], str(saved.get("images", "")), lines[-1] if lines else {})


def read_metrics(path: Path) -> list[dict[str, float | None]]:
    """Read the lines of a `metrics.jsonl`; none if it does not exist. A last line cut short by a kill is left out.

    Raises:
        ValueError: A line is no object with an `update` and numbers.
        OSError: It cannot be read.
    """
    if not path.exists():
        return []
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    try:
        return [_parse_metrics(line) for line in lines]
    except ValueError as error:
        raise ValueError(f"{path} does not hold the metrics of a run ({one_line(error)})") from error


def _parse_metrics(line: bytes) -> dict[str, float | None]:
    """Read a line of a `metrics.jsonl`.

    Raises:
        ValueError: It is no object with an `update`, and numbers or null for all that it holds.
    """
    found = parse_json(line)
    if isinstance(found, dict) and found.get("update") is not None and all(map(_may_be_drawn, found.values())):
        return found
    raise ValueError(f"a line is {quoted(found)}, and no update and its numbers")


def _may_be_drawn(value: object) -> bool:
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < _LARGEST)


def _read_run(run: Path) -> dict[str, Any]:
    file = run / "config.json"
    try:
        saved = read_json(file)
        if saved["format"] != "run":
            raise ValueError(f"it is a {one_line(saved['format'], longest=60)}")
        if not isinstance(saved["config"], dict) or not isinstance(saved["config"].get("data", {}), dict):
            raise ValueError("it has no configuration")
    except FileNotFoundError:
        raise ValueError(f"there is no run in {run}: {file.name} is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not describe a run ({one_line(error)})") from error
    return saved


def read_results(file: Path) -> EvaluationRecord:
    """Read an evaluation's `results.json`.

    Raises:
        ValueError: It is missing, or something else.
    """
    try:
        saved = read_json(file)
        if (saved["format"], saved["version"]) != _RESULTS:
            raise ValueError(f"it is {one_line(saved['format'], longest=60)}, version {quoted(saved['version'])}")
        scores = {str(name): (_number(score["mean"]), _number(score["std"])) for name, score in saved["scores"].items()}
        if not isinstance(saved["seeds"], list):
            raise ValueError("it does not name its seeds")
        return EvaluationRecord(str(saved["task"]), Path(saved["data"]).name, len(saved["seeds"]), scores)
    except FileNotFoundError:
        raise ValueError(f"there are no results at {file}; name the results.json of an evaluation") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{file} does not hold the results of an evaluation ({one_line(error)})") from error


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
