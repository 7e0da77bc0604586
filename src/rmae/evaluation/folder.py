"""The folder of an evaluation: what stands in it besides what a run has, and when it may be gone on with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, TypeVar

from rmae.config_json import config_from_json, config_to_json
from rmae.files import read_json, write_json
from rmae.quoting import one_line, quoted
from rmae.training.run_folder import RunFolder, differences, refuse_used_folder

FORMAT_VERSION = 1
"""Version of the folders and results written here; another one is refused."""

_MAY_CHANGE = {
    "evaluate_every", "reading.num_workers", "reading.max_bad_share", "optimizer.epochs", "optimizer.updates",
    "optimizer.accumulate", "optimizer.base_lr", "optimizer.clip_grad", "run.accelerator", "run.devices",
    "run.num_threads", "run.precision", "run.compile", "run.checkpoint_activations", "run.log_every",
    "run.checkpoint_every", "run.keep_newest", "run.keep_every",
}  # fmt: skip
"""Knobs that a resumed evaluation may set anew."""
_LENGTH = {"optimizer.epochs", "optimizer.updates"}
"""Those with which an evaluation that is through goes on."""
_RESULTS = "results.json"
C = TypeVar("C")
F = TypeVar("F")


class Estimate(NamedTuple):
    """A score with the interval in which it lies with 95 % confidence, over the pictures that there might be."""

    value: float
    low: float
    high: float


Scores = Mapping[str, float | Estimate]
"""What a task gives for one seed, the headline first."""


class Score(NamedTuple):
    """One score over the seeds."""

    mean: float
    std: float | None
    """Standard deviation over the seeds, of the sample (n - 1); None where there is one seed, NaN as the mean is."""
    values: tuple[float, ...]
    """One a seed."""
    interval: tuple[float, float] | None = None
    """95 % confidence interval over the pictures, where the task gives one and there is one seed."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came of an evaluation."""

    task: str
    """knn, linear, finetune, segment, detect, localise or interactive."""
    encoder: str
    """What was put to the test."""
    data: str
    """The data set."""
    seeds: tuple[int, ...]
    """Seeds of the runs."""
    scores: Mapping[str, Score]
    """By name, the headline first; in [0, 1], but numbers of clicks. NaN where a score is not defined."""
    folder: Path
    """Where everything stands: `report.html`, `results.json`, and a folder a seed where there are several."""


def summarise(scores: Sequence[Scores]) -> dict[str, Score]:
    """Mean and standard deviation of each score over the seeds, which all have the same scores."""
    return {name: _summarise([each[name] for each in scores]) for name in scores[0]}


def _summarise(found: Sequence[float | Estimate]) -> Score:
    values = tuple(each.value if isinstance(each, Estimate) else each for each in found)
    mean = fmean(values)
    if len(found) == 1:
        only = found[0]
        return Score(mean, None, values, (only.low, only.high) if isinstance(only, Estimate) else None)
    return Score(mean, math.nan if math.isnan(mean) else stdev(values), values)  # stdev fails on NaN


def save_results(evaluation: Evaluation, config: Any, path: Path) -> None:
    """Write an evaluation and its settings as JSON; scores that are NaN become null."""
    saved = {
        "format": "evaluation results",
        "version": FORMAT_VERSION,
        "task": evaluation.task,
        "encoder": evaluation.encoder,
        "data": evaluation.data,
        "seeds": list(evaluation.seeds),
        "scores": {name: score._asdict() for name, score in evaluation.scores.items()},
        "config": config_to_json(config),
    }
    write_json(path, saved)


def finished_scores(folder: RunFolder, config: Any) -> Scores | None:
    """The scores of a seed that is through already, by name, or None; where it is to be longer now, it is not through.

    Raises:
        ValueError: The results cannot be read.
    """
    file = results_file(folder.path)
    try:
        saved = read_json(file)
        changed = differences(saved["config"], config_to_json(config))
        scores = {name: _estimate(score) for name, score in saved["scores"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{file} does not hold the results of an evaluation ({one_line(error)}); delete it") from error
    if not _LENGTH.isdisjoint(changed):
        return None
    return scores


def _estimate(saved: Mapping[str, Any]) -> float | Estimate:
    value, interval = _number(saved["mean"]), saved.get("interval")
    return value if interval is None else Estimate(value, _number(interval[0]), _number(interval[1]))


def _number(saved: float | None) -> float:
    return math.nan if saved is None else float(saved)


def estimates_to_json(scores: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """Scores with their intervals as JSON has them."""
    return {name: estimate._asdict() for name, estimate in scores.items()}


def read_figures(file: Path, parse: Callable[[Any], F]) -> F:
    """Read a file of everything that a task measured.

    Args:
        file: In an evaluation's folder.
        parse: From what the file holds, which may be anything, to what is wanted of it.

    Raises:
        ValueError: The file is missing, or `parse` cannot make anything of it.
    """
    try:
        return parse(read_json(file))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{file} does not hold what an evaluation wrote ({one_line(error)}); delete its folder"
        ) from error


def results_file(path: Path) -> Path:
    """Where the results of an evaluation's folder stand."""
    return path / _RESULTS


def start_evaluation(
    path: Path, config: Any, *, task: str, encoder: str, weights: str, data: str, fingerprint: str, resume: bool
) -> RunFolder:
    """Make the folder of one seed's evaluation, or open that of an earlier start.

    Args:
        path: The folder; unused unless `resume`.
        config: The task's configuration.
        task: Name of the task.
        encoder: What is put to the test.
        weights: Digest of its weights.
        data: Folder of the data set.
        fingerprint: Of its pictures and classes.
        resume: Whether to go on with what is there; nothing may be there yet.

    Raises:
        ValueError: There is something else in the folder, or what is there differs in more than may change.
    """
    folder = RunFolder(path)
    new = {"task": task, "encoder": encoder, "weights": weights, "data": data, "pictures": fingerprint}
    settings = config_to_json(config)
    if resume and folder.config.exists() and _is_begun(path):
        _check_same(folder, new, settings)
    else:
        refuse_used_evaluation(path)
        path.mkdir(parents=True, exist_ok=True)
    saved = {"format": "evaluation", "version": FORMAT_VERSION, **new, "config": settings}
    write_json(folder.config, saved)
    return folder


def refuse_used_evaluation(path: Path) -> None:
    """Raise a ValueError if there is something in the folder of a new evaluation already.

    Settings alone do not count: they are of a call that ended before anything came of it, for a wrong --img-size say.
    """
    if not path.is_dir() or _is_begun(path):
        refuse_used_folder(path)


def _is_begun(path: Path) -> bool:
    """Whether there is anything in a folder but settings of evaluations."""
    return any(not (file.is_dir() or _holds_settings(file)) for file in path.rglob("*"))


def _holds_settings(file: Path) -> bool:
    config = RunFolder(file.parent).config.name
    if file.name == f".{config}.partial":  # that a kill left
        return True
    if file.name != config:
        return False
    try:
        _read_saved(file)
    except ValueError:
        return False
    return True


def check_seeds(path: Path, seeds: int) -> None:
    """Raise a ValueError if a folder is of one seed, or of several, and is to be gone on with the other way round."""
    if seeds == 1 and (of_seeds := sorted(folder.parent.name for folder in path.glob("seed_*/config.json"))):
        raise ValueError(
            f"the evaluation in {path} has several seeds ({', '.join(of_seeds)} so far); say how many, as at its start "
            "(--seeds)"
        )
    if seeds > 1 and RunFolder(path).config.exists() and _is_begun(path):
        raise ValueError(
            f"the evaluation in {path} has one seed, not {seeds}; leave out --seeds, or choose another folder (--out)"
        )


def read_config(path: Path, kind: type[C], *, task: str) -> C | None:
    """The configuration of an evaluation, with its first seed; None where there is no evaluation.

    Raises:
        ValueError: What is there is of another task or version, or no configuration.
    """
    of_seeds = sorted(path.glob("seed_*/config.json"), key=lambda file: (len(file.parent.name), file.parent.name))
    for file in (path / "config.json", *of_seeds):
        if file.exists():
            saved = _read_saved(file)
            if saved["task"] != task:
                raise ValueError(
                    f"the evaluation in {path} has task {one_line(saved['task'])}, not {task}; choose another folder "
                    "(--out)"
                )
            return config_from_json(kind, saved["config"], where=str(file))
    return None


def _read_saved(file: Path) -> dict[str, Any]:
    try:
        saved = read_json(file)
        if saved["format"] != "evaluation":
            raise ValueError(f"it is a {one_line(saved['format'], longest=60)}")
        version = saved["version"]
        if version == FORMAT_VERSION and not (
            isinstance(saved.get("task"), str) and isinstance(saved.get("config"), dict)
        ):
            raise ValueError("it lacks task or config")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not describe an evaluation ({one_line(error)})") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{file} is of format version {quoted(version)}; this rmae reads version {FORMAT_VERSION}")
    return saved


def _check_same(folder: RunFolder, new: Mapping[str, str], settings: dict[str, Any]) -> None:
    saved = _read_saved(folder.config)
    same_weights = saved.get("weights", new["weights"]) == new["weights"]
    for name in ("task", "encoder", "pictures"):
        is_same = saved.get(name) == new[name] or (name == "encoder" and saved.get("weights") == new["weights"])
        if not is_same:
            raise ValueError(
                f"the evaluation in {folder.path} has {name} {one_line(saved.get(name))}, not {new[name]}; go on with "
                "the same, or choose another folder (--out)"
            )
    for knob, (was, wanted) in differences(saved["config"], settings).items():
        if knob not in _MAY_CHANGE:
            raise ValueError(
                f"the evaluation in {folder.path} has {one_line(knob)} {one_line(was)}, not {one_line(wanted)}; it "
                "cannot be changed now"
            )
    if not same_weights:
        raise ValueError(
            f"{new['encoder']} has other weights than when the evaluation in {folder.path} began: perhaps it was "
            "trained further; name the checkpoint of then, or choose another folder (--out)"
        )
