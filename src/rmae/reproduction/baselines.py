"""What is reached without an encoder, to be seen beside what encoders reach."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rmae.evaluation.interactive.results import read_baselines as read_interactive
from rmae.evaluation.localisation.results import read_baselines as read_localisation
from rmae.evaluation.presets import Task
from rmae.reproduction.plan import evaluation, tasks_of
from rmae.reproduction.record import BaselineRecord
from rmae.reproduction.tables import Table

_READERS: Mapping[Task, Callable[[Path], Mapping[str, Mapping[str, float]]]] = {
    "localise": read_localisation,
    "interactive": read_interactive,
}
_LABELS: Mapping[Task, Mapping[str, str]] = {
    "localise": {"nearness": "nearness alone"},
    "interactive": {"felzenszwalb": "Felzenszwalb regions", "grabcut": "GrabCut", "nearest": "the nearest pixel"},
}
"""What the page shows of it: by its name in the task's results, what people call it."""


def gather_baselines(
    table: Table, scores: Mapping[Task, Sequence[str]], seeds: Sequence[int], workspace: Path
) -> tuple[BaselineRecord, ...]:
    """Gather what the evaluations of a table measured beside its encoders, from those of the first that has any.

    Args:
        table: What was compared.
        scores: Names of the scores that are shown of each task.
        seeds: Seeds of pre-training and evaluation.
        workspace: Where the evaluations left their results.

    Returns:
        Those that have one of the scores, in a fixed order.

    Raises:
        ValueError: An evaluation's results cannot be read.
    """
    gathered = []
    for task, labels in _LABELS.items():
        arm = next((arm for arm in table.arms if task in scores and task in tasks_of(arm, (task,))), None)
        if arm is None:
            continue
        of_seeds = [_READERS[task](workspace / evaluation(task, arm, seed)) for seed in seeds]
        for name, label in labels.items():
            found = {
                f"{task}.{score}": tuple(each.get(name, {}).get(score) for each in of_seeds) for score in scores[task]
            }
            defined = {score: values for score, values in found.items() if set(values) != {None}}
            if defined:
                gathered.append(BaselineRecord(label=label, scores=defined))
    return tuple(gathered)
