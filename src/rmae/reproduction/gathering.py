"""From what the pieces left to the record of a table."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from rmae.bench.machine import describe_machine
from rmae.bench.macs import count_macs
from rmae.evaluation.folder import results_file
from rmae.evaluation.presets import Task
from rmae.files import read_json
from rmae.models.build import build_model, num_trainable_parameters
from rmae.quoting import one_line
from rmae.reproduction.arms import Arm
from rmae.reproduction.baselines import gather_baselines
from rmae.reproduction.budgets import BUDGETS, Budget, BudgetName
from rmae.reproduction.flags import as_arguments
from rmae.reproduction.piece_record import PieceRecord
from rmae.reproduction.plan import evaluation, own_flags, pretraining, tasks_of
from rmae.reproduction.record import ArmRecord, DataRecord, Record
from rmae.reproduction.tables import Letter, Table
from rmae.training.run_folder import read_run

SCORES: Mapping[Task, tuple[str, ...]] = {
    "segment": ("miou",),
    "detect": ("box_ap", "mask_ap"),
    "knn": ("top1_20",),
    "linear": ("top1",),
    "finetune": ("top1",),
    "localise": ("attention_auc", "similarity_auc"),
    "interactive": ("iou_1", "clicks_85", "visible_iou_50"),
}
"""Scores of each task that tables show, the headline first."""
_PACKAGES = ("torch", "torchvision", "timm", "lightning-fabric", "numpy", "torchmetrics", "faster-coco-eval")


def gather(
    letter: Letter,
    table: Table,
    *,
    budget: BudgetName,
    seeds: Sequence[int],
    tasks: Sequence[Task],
    command: str,
    data: DataRecord,
    workspace: Path,
    work: Mapping[str, PieceRecord],
) -> Record:
    """Gather the scores of a table whose pieces are done.

    Args:
        letter: The table's name.
        table: What was compared.
        budget: The budget's name.
        seeds: Seeds of pre-training and evaluation.
        tasks: What the encoders were put to.
        command: What makes the record again.
        data: What was trained and evaluated on.
        workspace: Where the pieces left their results.
        work: What is known of each piece, by its name.

    Raises:
        ValueError: A piece's results cannot be read.
    """
    return Record(
        table=letter,
        budget=budget,
        command=command,
        data=data,
        seeds=tuple(seeds),
        tasks={task: SCORES[task] for task in tasks},
        arms=tuple(_gather_arm(arm, BUDGETS[budget], seeds, tasks, workspace) for arm in table.arms),
        baselines=gather_baselines(table, {task: SCORES[task] for task in tasks}, seeds, workspace),
        machine={name: value for name, value in describe_machine(_PACKAGES).items() if name != "commit"},
        commits=tuple(dict.fromkeys(commit for piece in work.values() for commit in piece.commits)),
        seconds={name: piece.seconds for name, piece in work.items()},
    )


def _gather_arm(arm: Arm, budget: Budget, seeds: Sequence[int], tasks: Sequence[Task], workspace: Path) -> ArmRecord:
    parameters, gmacs = _size(workspace / pretraining(arm, seeds[0])) if arm.task is not None else (None, None)
    scores: dict[str, tuple[float | None, ...] | None] = {}
    possible = tasks_of(arm, tasks)
    for task in tasks:
        for name in SCORES[task]:
            scores[f"{task}.{name}"] = (
                tuple(_score(workspace / evaluation(task, arm, seed), name) for seed in seeds)
                if task in possible
                else None
            )
    return ArmRecord(
        name=arm.name,
        label=arm.label,
        flags=shlex.join(as_arguments(own_flags(arm, budget))),
        parameters=parameters,
        gmacs=gmacs,
        scores=scores,
    )


def _size(run: Path) -> tuple[int, float]:
    """Parameters of a run's model, and 1e9 multiply-accumulates of its forward pass for one image."""
    config = read_run(run).config()
    with torch.device("meta"):
        parameters = num_trainable_parameters(build_model(config.model))
    return parameters, count_macs(config.model, config.loss).forward / 1e9


def _score(folder: Path, name: str) -> float | None:
    """A score of an evaluation of one seed."""
    file = results_file(folder)
    try:
        mean = read_json(file)["scores"][name]["mean"]
        return None if mean is None else float(mean)
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{file} does not hold the score {name} of an evaluation ({one_line(error)}); delete its folder"
        ) from error
