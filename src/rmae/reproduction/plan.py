"""From a table and a budget to the commands that answer it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, assert_never

from rmae.evaluation.presets import Task
from rmae.reproduction.arms import Arm, Source
from rmae.reproduction.budgets import Budget, Datasets, SceneNumbers
from rmae.reproduction.flags import Flags, as_arguments
from rmae.reproduction.piece import Piece
from rmae.reproduction.tables import Table

_REGIONS_NEED: dict[Source, Source] = {"random": "fh"}
"""Sources that look up what another one has made."""
_OF_ANNOTATIONS: tuple[Source, ...] = ("instances", "panoptic")
"""Sources that know the pictures to train on alone."""
_TRAINS_ENCODER: tuple[Task, ...] = ("segment", "detect", "finetune")
"""Tasks that train the encoder further."""
_PRESETS = {"mae": "mae-coco-vit-b", "rae": "rae-coco-vit-b-fh", "rmae": "rmae-coco-vit-b-fh"}
"""The paper's run for each task, which budgets and arms change."""


class CutOutFolders(NamedTuple):
    """Folders to compose scenes from."""

    cut_outs: Path
    """Pictures with alpha, in a folder for each class."""
    photographs: Path
    """What they are laid on."""
    classes: tuple[str, ...] = ()
    """Folders to take; none = all with enough pictures."""


def plan(
    table: Table, budget: Budget, *, seeds: Sequence[int], tasks: Sequence[Task], cut_outs: CutOutFolders | None
) -> tuple[Piece, ...]:
    """List the pieces of a table, those that are needed first.

    Args:
        table: What is compared.
        budget: How much of it.
        seeds: Seeds of pre-training and evaluation.
        tasks: What the encoders are put to.
        cut_outs: What scenes are composed from; None = they are drawn. Only where the budget has scenes.

    Returns:
        Pieces in an order in which they can be run one by one: data, regions, and then seed by seed all pre-trainings,
        those of the last arms first, which tend to take longest, and all evaluations.
    """
    pieces = {piece.name: piece for piece in _shared(table, budget, tasks, cut_outs)}
    made = frozenset(pieces)
    for seed in seeds:
        trainings = [_pretrain(arm, budget, seed, made) for arm in reversed(table.arms) if arm.task is not None]
        evaluations = [_evaluate(arm, task, budget, seed, made) for arm in table.arms for task in tasks_of(arm, tasks)]
        pieces.update((piece.name, piece) for piece in (*trainings, *evaluations))
    return tuple(pieces.values())


def tasks_of(arm: Arm, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks that an arm can be put to."""
    return tuple(task for task in tasks if arm.has_region_branch or task != "interactive")


def own_flags(arm: Arm, budget: Budget) -> Flags:
    """What an arm is pre-trained with otherwise than others of its task; nothing where it is the usual one."""
    flags, epochs = _flags_and_epochs(arm, budget)
    if arm.source is not None and arm.source != "fh":
        flags = {**flags, "regions": _source_words(arm.source, budget)}
    return flags if epochs == budget.epochs else {**flags, "epochs": epochs}


def pretraining(arm: Arm, seed: int) -> str:
    """Name of the piece that pre-trains an arm, and of its folder."""
    return f"pretrain/{arm.name}/seed_{seed}"


def evaluation(task: Task, arm: Arm, seed: int) -> str:
    """Name of the piece that puts an arm to a task, and of its folder."""
    return f"{task}/{arm.name}/seed_{seed}"


def _shared(table: Table, budget: Budget, tasks: Sequence[Task], cut_outs: CutOutFolders | None) -> Iterator[Piece]:
    """Data and regions."""
    if budget.scenes is not None:
        yield from _scenes(budget.scenes, budget.data, tasks, cut_outs)
    asked = {arm.source for arm in table.arms if arm.source is not None}
    for source in budget.sources:  # in this order, since one of them looks up another
        if source in asked | {_REGIONS_NEED[each] for each in asked if each in _REGIONS_NEED}:
            yield _regions(source, budget)


def _scenes(
    numbers: SceneNumbers, data: Datasets, tasks: Sequence[Task], cut_outs: CutOutFolders | None
) -> Iterator[Piece]:
    origin: Flags = {}
    if cut_outs is not None:
        origin = {"cut_outs": str(cut_outs.cut_outs), "photographs": str(cut_outs.photographs)}
        if cut_outs.classes:
            origin = {**origin, "classes": cut_outs.classes}
    sets: dict[str, Flags] = {
        data.images: {"num_train": numbers.train, "num_val": numbers.val},
        # The first scenes of a larger set are the smaller set, so these are among those that are pre-trained on.
        data.annotated: {"num_train": numbers.labelled, "num_val": numbers.val},
        data.classes: {"num_train": numbers.classified, "num_val": numbers.classified_val, "layout": "imagenet"},
    }
    needed = {data.images, *(data.of(task) for task in tasks)}
    for name, flags in sets.items():
        if name in needed:
            arguments = ("scenes", name, *as_arguments({**flags, "img_size": numbers.side, **origin}))
            yield Piece(name, arguments, (), name, resumable=False)


def _regions(source: Source, budget: Budget) -> Piece:
    store = _store(source)
    needs = [budget.data.images] if budget.scenes is not None else []
    if source in _REGIONS_NEED:
        needs.append(_store(_REGIONS_NEED[source]))
    flags = budget.regions
    if source not in _OF_ANNOTATIONS:
        flags = {"subsets": ("train2017", "val2017"), **flags}  # the reports of pre-training show pictures held out
    arguments = ("regions", "make", budget.data.images, store, "--source", _source_words(source, budget))
    return Piece(store, (*arguments, *as_arguments(flags)), tuple(needs), store, resumable=False)


def _source_words(source: Source, budget: Budget) -> str:
    return budget.sources[source].format(annotations=f"{budget.data.images}/annotations")


def _store(source: Source) -> str:
    return f"regions/{source}.regions"


def _evaluate(arm: Arm, task: Task, budget: Budget, seed: int, made: frozenset[str]) -> Piece:
    encoder = "scratch" if arm.task is None else pretraining(arm, seed)
    data, name = budget.data.of(task), evaluation(task, arm, seed)
    given: Flags = {"data": data, "out": name, "seed": seed}
    if arm.task is None and task in _TRAINS_ENCODER:
        given = {"layer_decay": 1, **given}  # nothing is in its lower layers that is to be kept
    arguments = ("evaluate", task, encoder, *as_arguments({**budget.tasks[task], **given}))
    trained = () if arm.task is None else (encoder,)
    return Piece(name, arguments, (*trained, *made & {data}), name, resumable=True)


def _pretrain(arm: Arm, budget: Budget, seed: int, made: frozenset[str]) -> Piece:
    assert arm.task is not None
    name, data = pretraining(arm, seed), budget.data.images
    regions, needs = "none", [data]
    if arm.source is not None:
        regions = f"stored --path {_store(arm.source)}"
        needs.append(_store(arm.source))
    flags, epochs = _flags_and_epochs(arm, budget)
    given: Flags = {"regions": regions, "epochs": epochs, "seed": seed, "data": data, "out": name}
    arguments = ("pretrain", _PRESETS[arm.task], *as_arguments({**budget.pretrain, **flags, **given}))
    return Piece(name, arguments, tuple(need for need in needs if need in made), name, resumable=True)


def _flags_and_epochs(arm: Arm, budget: Budget) -> tuple[Flags, float]:
    """What an arm does otherwise than its preset and budget, and for how long it is trained."""
    match arm.control:
        case "parameters":
            return budget.wider_decoder, budget.epochs * arm.length
        case "time":
            return arm.flags, budget.epochs * budget.mae_time
        case None:
            return arm.flags, budget.epochs * arm.length
        case _:
            assert_never(arm.control)
