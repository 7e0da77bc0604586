"""Whole evaluations: an encoder, a task, one seed or several, and what came of it."""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, assert_never

from rmae.config.classification import FinetuneConfig, KnnConfig, LinearConfig
from rmae.config.detection import DetectConfig
from rmae.config.interactive import InteractiveConfig
from rmae.config.localisation import LocaliseConfig
from rmae.config.segmentation import SegmentConfig
from rmae.config_json import config_to_json
from rmae.evaluation.classification import finetune, knn, linear
from rmae.evaluation.detection import run as detection
from rmae.evaluation.encoder import SCRATCH, Encoder, open_encoder
from rmae.evaluation.folder import (
    Evaluation,
    Scores,
    check_seeds,
    finished_scores,
    refuse_used_evaluation,
    results_file,
    save_results,
    start_evaluation,
    summarise,
)
from rmae.evaluation.interactive import run as interactive
from rmae.evaluation.localisation import run as localisation
from rmae.evaluation.presets import EncoderTaskConfig, TaskConfig
from rmae.evaluation.segmentation import run as segmentation
from rmae.files import check_writable, write_atomically
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.weights import load, weights_digest
from rmae.training.processes import run_on_ranks
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder, alone_in
from rmae.visual.evaluation_report import EvaluationReport, Table, render_evaluation_report
from rmae.visual.figure_words import decimal, percent


def evaluate(
    config: TaskConfig,
    encoder: str | Path,
    *,
    data: str | Path,
    out: str | Path | None = None,
    seeds: int = 1,
    resume: bool = False,
) -> Evaluation:
    """Put an encoder to a downstream task, and write a report about it.

    Under torchrun or srun each process calls this alike. With `config.run.devices` above 1 and without a launcher,
    this process starts the others itself.

    Args:
        config: The task, for instance `rmae.evaluation_preset("segment", "small")`; change it with
            `dataclasses.replace`.
        encoder: A run, a checkpoint, an official MAE or R-MAE file, the name of a Vision Transformer of timm, a folder
            of timm or transformers, a hub id, or "scratch"; for interactive segmentation a model with its region
            branch: a run, a checkpoint, a folder of `save_pretrained`, an official R-MAE file or a hub id.
        data: Folder of the data set: ImageNet's layout for classification, ADE20K's or COCO's for segmentation, COCO's
            or LVIS's for detection, localisation and interactive segmentation.
        out: Folder of the evaluation; must be empty unless `resume`. None = `runs/TASK-ENCODER-TIME`.
        seeds: How often to train and evaluate, with `config.run.seed` and the seeds after it, at least 1.
        resume: Go on with the evaluation in `out`.

    Returns:
        Scores with mean and standard deviation over the seeds; the same on all processes.

    Raises:
        ValueError: The settings, the encoder, the data or the folder cannot be used; the sentence says why.
        NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
        TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
        FailedElsewhere: Another process failed.

    Example:
        >>> import rmae
        >>> config = rmae.evaluation_preset("detect", "small")
        >>> rmae.evaluate(config, "runs/demo", data="scenes").scores["box_ap"].mean  # doctest: +SKIP
    """
    if seeds < 1:
        raise ValueError(f"seeds is {seeds}; it must be at least 1")
    if resume and out is None:
        raise ValueError("there is no evaluation to go on with; name its folder (--out)")
    if not Path(data).exists():
        raise ValueError(f"the data folder {data} does not exist")
    return run_on_ranks(
        partial(
            _evaluate, config, encoder=str(encoder), data=Path(data).resolve(), out=out, seeds=seeds, resume=resume
        ),
        config.run,
        check=lambda: _check_folder(_path(config, str(encoder), out), seeds=seeds, resume=resume),
    )


def task_name(config: TaskConfig) -> str:
    """What the command line calls a task."""
    match config:
        case KnnConfig():
            return "knn"
        case LinearConfig():
            return "linear"
        case FinetuneConfig():
            return "finetune"
        case SegmentConfig():
            return "segment"
        case DetectConfig():
            return "detect"
        case LocaliseConfig():
            return "localise"
        case InteractiveConfig():
            return "interactive"
        case _:
            assert_never(config)


def _evaluate(
    config: TaskConfig,
    ranks: Ranks,
    *,
    encoder: str,
    data: Path,
    out: str | Path | None,
    seeds: int,
    resume: bool,
) -> Evaluation:
    """Evaluate in one of the processes; the first one alone writes."""
    settings = json.dumps([encoder, seeds, config_to_json(config)], sort_keys=True)
    ranks.check_alike(hashlib.sha256(settings.encode()).hexdigest()[:8], "settings")
    path = ranks.first_does(lambda: _path(config, encoder, out))
    ranks.first_does(lambda: _check_folder(path, seeds=seeds, resume=resume))
    opened = _open_task(config, data)
    ranks.check_alike(opened.fingerprint, "pictures or classes")
    chosen = tuple(config.run.seed + i for i in range(seeds))
    scores = []
    for seed in chosen:
        of_seed = replace(config, run=replace(config.run, seed=seed))
        folder = path / f"seed_{seed}" if seeds > 1 else path
        scores.append(_evaluate_seed(of_seed, ranks, opened, encoder=encoder, path=folder, resume=resume))
    evaluation = Evaluation(
        task=task_name(config), encoder=encoder, data=str(data), seeds=chosen, scores=summarise(scores), folder=path
    )
    if seeds > 1:
        ranks.first_does(partial(_write_summary, evaluation, config))
    return evaluation


def _evaluate_seed(
    config: TaskConfig, ranks: Ranks, opened: "_OpenedTask", *, encoder: str, path: Path, resume: bool
) -> Scores:
    task = task_name(config)
    weights = opened.open_weights(config, encoder)  # before a folder is made in vain
    with ExitStack() as alone:

        def start() -> RunFolder:
            is_there = path.is_dir()
            if is_there:
                alone.enter_context(alone_in(path))
            folder = start_evaluation(
                path,
                config,
                task=task,
                encoder=_full(encoder),
                weights=_digest(weights),
                data=str(opened.root),
                fingerprint=opened.fingerprint,
                resume=resume,
            )
            if not is_there:
                alone.enter_context(alone_in(path))
            return folder

        folder = ranks.first_does(start)
        done = ranks.first_does(lambda: finished_scores(folder, config))
        if done is not None:
            return done
        scores = opened.run(config, weights, folder, ranks)
        evaluation = Evaluation(
            task=task,
            encoder=encoder,
            data=str(opened.root),
            seeds=(config.run.seed,),
            scores=summarise([scores]),
            folder=path,
        )
        ranks.first_does(partial(save_results, evaluation, config, results_file(path)))
    return scores


C = TypeVar("C")
W = TypeVar("W")
D = TypeVar("D", bound="_Data")


class _Data(Protocol):
    def fingerprint(self) -> str: ...


class _OpenedTask(NamedTuple):
    """A task with its data, which all seeds share."""

    root: Path
    """Folder of the data."""
    fingerprint: str
    """Digest of its pictures and classes."""
    open_weights: Callable[[Any, str], Any]
    """From the configuration of a seed and what the user calls the encoder to what is put to the test."""
    run: Callable[[Any, Any, RunFolder, Ranks], Scores]
    """From the configuration of a seed and what is put to the test to its scores in a folder."""


def _open_task(config: TaskConfig, root: Path) -> _OpenedTask:
    match config:
        case KnnConfig():
            return _bind(config, root, knn.open_data, _open_encoder, knn.evaluate)
        case LinearConfig():
            return _bind(config, root, linear.open_data, _open_encoder, linear.evaluate)
        case FinetuneConfig():
            return _bind(config, root, finetune.open_data, _open_encoder, finetune.evaluate)
        case SegmentConfig():
            return _bind(config, root, segmentation.open_data, _open_encoder, segmentation.evaluate)
        case DetectConfig():
            return _bind(config, root, detection.open_data, _open_encoder, detection.evaluate)
        case LocaliseConfig():
            return _bind(config, root, localisation.open_data, _open_encoder, localisation.evaluate)
        case InteractiveConfig():
            return _bind(config, root, interactive.open_data, _open_model, interactive.evaluate)
        case _:
            assert_never(config)


def _bind(
    config: C,
    root: Path,
    open_data: Callable[[C, Path], D],
    open_weights: Callable[[C, str], W],
    evaluate_task: Callable[[C, W, D, RunFolder, Ranks], Scores],
) -> _OpenedTask:
    data = open_data(config, root)

    def run(config: C, weights: W, folder: RunFolder, ranks: Ranks) -> Scores:
        return evaluate_task(config, weights, data, folder, ranks)

    return _OpenedTask(root, data.fingerprint(), open_weights, run)


def _open_encoder(config: EncoderTaskConfig, source: str) -> Encoder:
    return open_encoder(source, config.encoder, seed=config.run.seed)


def _open_model(config: InteractiveConfig, source: str) -> MaskedAutoencoder:
    return load(source)


def _check_folder(path: Path, *, seeds: int, resume: bool) -> None:
    """Raise a ValueError if a folder cannot be that of the evaluation."""
    if resume:
        check_seeds(path, seeds)
    else:
        refuse_used_evaluation(path)
    check_writable(path)


def _path(config: TaskConfig, encoder: str, out: str | Path | None) -> Path:
    if out is not None:
        return Path(out)
    return Path("runs") / f"{task_name(config)}-{Path(encoder).name}-{datetime.now():%Y%m%d-%H%M%S}"


def _digest(weights: Encoder | MaskedAutoencoder) -> str:
    if not isinstance(weights, Encoder):
        return weights_digest(weights)
    # Random ones are a matter of the seed and of the kind of CPU.
    return SCRATCH if weights.name == SCRATCH else weights_digest(weights.vit)


def _full(encoder: str) -> str:
    """The same encoder's name from any working directory."""
    return str(Path(encoder).resolve()) if Path(encoder).exists() else encoder


def _write_summary(evaluation: Evaluation, config: TaskConfig) -> None:
    """Write results and a page for several seeds together."""
    save_results(evaluation, config, results_file(evaluation.folder))
    tiles, rows = [], []
    for name, score in evaluation.scores.items():
        label = name.replace("_", " ")
        shown = decimal if name.startswith("clicks") else percent
        tiles.append((label, shown(score.mean), f"standard deviation {shown(score.std)}"))
        rows.append((label, *(shown(value) for value in score.values)))
    heading = [f"seed {seed}" for seed in evaluation.seeds]
    seeds = Table("Scores by seed", "Each seed has a folder and a report of its own.", ("score", *heading), tuple(rows))
    page = EvaluationReport(
        title=f"{evaluation.task} · {Path(evaluation.encoder).name}",
        lead=f"The same task, trained and evaluated with {len(evaluation.seeds)} seeds: means, and how far they vary.",
        summary={
            "Encoder": evaluation.encoder,
            "Data": evaluation.data,
            "Seeds": ", ".join(map(str, evaluation.seeds)),
        },
        scores=tiles,
        tables=(seeds,),
        config_json=json.dumps(config_to_json(config), indent=2),
    )
    write_atomically(evaluation.folder / "report.html", render_evaluation_report(page))
