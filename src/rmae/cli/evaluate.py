"""Putting an encoder to downstream tasks."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeVar

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import UsageError, parse, suggest, value_of
from rmae.training.launch import is_first

if TYPE_CHECKING:
    from rmae.evaluation.folder import Evaluation
    from rmae.evaluation.presets import Size, Task

C = TypeVar("C")


def knn(arguments: list[str]) -> None:
    """Classify by nearest neighbours."""
    _evaluate("knn", arguments)


def linear(arguments: list[str]) -> None:
    """Train a linear classifier on a frozen encoder."""
    _evaluate("linear", arguments)


def finetune(arguments: list[str]) -> None:
    """Train an encoder further to classify."""
    _evaluate("finetune", arguments)


def segment(arguments: list[str]) -> None:
    """Train an encoder further to segment."""
    _evaluate("segment", arguments)


def detect(arguments: list[str]) -> None:
    """Train an encoder further to detect."""
    _evaluate("detect", arguments)


def localise(arguments: list[str]) -> None:
    """Measure how well attention and features of an encoder outline objects."""
    _evaluate("localise", arguments)


def interactive(arguments: list[str]) -> None:
    """Segment objects from clicks and from a few visible patches."""
    _evaluate("interactive", arguments)


class _Words(NamedTuple):
    """What the help says about a task."""

    introduction: str
    layout: str
    encoder: str = (
        "A run, a checkpoint, an official MAE or R-MAE file, a name of timm, a folder of timm or transformers, a hub "
        "id, or scratch for random weights."
    )


_CLASSES = "ImageNet's layout: train/CLASS/ and val/CLASS/ with pictures"
_OBJECTS = "COCO's layout, val2017/ and annotations/instances_val2017.json, or LVIS's"
_WORDS: dict["Task", _Words] = {
    "knn": _Words("Classify pictures by their nearest neighbours in the features of a frozen encoder.", _CLASSES),
    "linear": _Words("Train a linear classifier on the features of a frozen encoder.", _CLASSES),
    "finetune": _Words("Train an encoder further to classify pictures.", _CLASSES),
    "segment": _Words(
        "Train an encoder further to segment pictures by class: UperNet on its features.",
        "ADE20K's layout, images/ and annotations/ with PNGs, or COCO's, with panoptic annotations",
    ),
    "detect": _Words(
        "Train an encoder further to detect and outline objects: ViTDet's Mask R-CNN.",
        "COCO's layout, train2017/, val2017/ and annotations/, or LVIS's",
    ),
    "localise": _Words(
        "Measure how well attention and features of an encoder, asked from inside an object, outline it.",
        _OBJECTS,
    ),
    "interactive": _Words(
        "Measure how well a model completes objects from clicks, and from few visible patches of them.",
        _OBJECTS,
        "A model with its region branch: a run, a checkpoint, a folder of weights, an official R-MAE file or a hub id.",
    ),
}


def _evaluate(task: "Task", arguments: list[str]) -> None:
    import tyro

    from rmae.config.detection import DetectConfig
    from rmae.evaluation.detection.presets import for_lvis
    from rmae.evaluation.presets import evaluation_preset

    of_size = _size(arguments)
    of_preset = evaluation_preset(task, of_size)
    if isinstance(of_preset, DetectConfig) and of_size == "paper" and value_of("--layout", arguments) == "lvis":
        of_preset = for_lvis(of_preset)
    kind = type(of_preset)

    @dataclass(frozen=True, kw_only=True)
    class EvaluateArguments:
        encoder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ENCODER", help=_WORDS[task].encoder)]
        data: Annotated[Path, tyro.conf.arg(help=f"Folder of the data set in {_WORDS[task].layout}.")]
        size: Literal["small", "paper"] = of_size
        """Defaults of the options below: small = two CPU cores and minutes, paper = the paper's recipe, for GPUs."""
        out: Path | None = None
        """Folder of the evaluation, new or empty; None = runs/TASK-ENCODER-TIME."""
        seeds: int = 1
        """How often to do it all, with --seed and the seeds after it; scores get a standard deviation."""
        resume: bool = False
        """Go on with the evaluation in --out; its own settings are the defaults then."""
        json: Path | None = None
        """File to write the scores to, besides the evaluation's own results.json."""
        config: kind  # pyright: ignore[reportInvalidTypeForm]  # the command line is made from it at run time
        """The task, and how it is done."""

    EvaluateArguments.__doc__ = _WORDS[task].introduction
    default_config = _saved_config(task, arguments, kind) or of_preset
    default = EvaluateArguments(encoder=tyro.MISSING, data=tyro.MISSING, config=default_config)
    chosen = parse(EvaluateArguments, f"evaluate {task}", arguments, default=default)
    check_output_file("json", chosen.json)

    from rmae import evaluation_runs
    from rmae.training.finite import NonFiniteError

    try:
        evaluation = evaluation_runs.evaluate(
            chosen.config,
            chosen.encoder,
            data=chosen.data,
            out=chosen.out,
            seeds=chosen.seeds,
            resume=chosen.resume,
        )
    except NonFiniteError as error:
        raise ValueError(error) from error
    _tell(evaluation, chosen.json)


def _size(arguments: list[str]) -> "Size":
    """Which preset is asked for; looked up first, since the defaults depend on it."""
    match value_of("--size", arguments):
        case None | "small":
            return "small"
        case "paper":
            return "paper"
        case other:
            raise UsageError(f"--size is {other!r}{suggest(other, ('small', 'paper'))}")


def _saved_config(task: "Task", arguments: list[str], kind: type[C]) -> C | None:
    """The configuration of the evaluation that is resumed; None where there is none."""
    out = value_of("--out", arguments)
    if "--resume" not in arguments or out is None:
        return None
    from rmae.evaluation.folder import read_config

    return read_config(Path(out), kind, task=task)


def _tell(evaluation: "Evaluation", path: Path | None) -> None:
    """Print the scores, and copy them to a file if one is given."""
    width = max(map(len, evaluation.scores))
    for name, score in evaluation.scores.items():
        spread = "" if score.std is None else f" +- {score.std:.4f} over {len(score.values)} seeds"
        if score.interval is not None and not math.isnan(score.interval[0]):  # NaN: of one picture there is none
            spread = " [{:.4f}, {:.4f}] with 95 % confidence".format(*score.interval)
        print(f"{name:<{width}}  {score.mean:.4f}{spread}")
    print(f"report: {evaluation.folder / 'report.html'}")
    if path is not None and is_first(os.environ):
        from rmae.evaluation.folder import results_file
        from rmae.files import write_atomically

        write_atomically(path, results_file(evaluation.folder).read_bytes())
