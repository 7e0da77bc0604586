"""What was predicted of the pictures for validation, and how good that is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from rmae.data.skips import Skipped
from rmae.evaluation.classification.data import ClassificationData
from rmae.evaluation.classification.inference import Inference, Outputs, run_over
from rmae.evaluation.classification.pictures import PictureReading
from rmae.training.ranks import Ranks

NUM_RANKED = 5
"""Classes that are kept of each picture, the most likely ones."""


class Verdicts(NamedTuple):
    """The classes predicted of N pictures."""

    ranked: np.ndarray
    """The r = min(5, C) most likely classes of each, best first, shape (N, r) int64."""
    probability: np.ndarray
    """How likely each of them is held to be, shape (N, r) float32 in [0, 1]."""
    labels: np.ndarray
    """The true class of each picture, shape (N,) int64."""
    classes: tuple[str, ...]
    """Names of the C classes."""

    def top(self, k: int) -> float:
        """Share of the pictures whose true class is among the k most likely, k at most r."""
        return float((self.ranked[:, :k] == self.labels[:, None]).any(axis=1).mean())

    def scores(self) -> dict[str, float]:
        """Top-1 accuracy, and of more than five classes top-5, by name."""
        scores = {"top1": self.top(1)}
        if len(self.classes) > NUM_RANKED:
            scores["top5"] = self.top(NUM_RANKED)
        return scores

    def confusion(self) -> np.ndarray:
        """Pictures by true and by predicted class, shape (C, C) int64."""
        counts = np.zeros((len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(counts, (self.labels, self.ranked[:, 0]), 1)
        return counts


def classify(
    model: Callable[[Tensor], Tensor],
    data: ClassificationData,
    reading: PictureReading,
    inference: Inference,
    *,
    doing: str | None,
) -> Verdicts:
    """Have a classifier judge all pictures for validation.

    Args:
        model: From normalised pictures to logits (B, C); in evaluation mode, on the device.
        data: The pictures.
        reading: How those for validation are cut.
        inference: How they go through the model.
        doing: As for `run_over`.

    Returns:
        Its verdicts, on all processes.

    Raises:
        ValueError: A picture cannot be read: without it the scores would be others.
    """
    outputs = run_over(lambda images: model(images).softmax(dim=1), reading, inference, doing=doing)
    if not len(outputs.indices):
        ranked, probability = (np.empty((0, NUM_RANKED), dtype=kind) for kind in (np.int64, np.float32))
    else:
        best = outputs.values.sort(dim=1, descending=True, stable=True)  # among equals the lower class
        ranked, probability = (part[:, :NUM_RANKED].numpy() for part in (best.indices, best.values))
    all_ranked, all_probability = join(outputs, (ranked, probability), inference.ranks)
    return Verdicts(all_ranked, all_probability, data.val.labels, data.classes)


def join(outputs: Outputs, rows: Sequence[np.ndarray], ranks: Ranks) -> tuple[np.ndarray, ...]:
    """Put together what the processes found of the pictures for validation.

    Args:
        outputs: Which pictures were this process's.
        rows: Arrays of one row for each of them.
        ranks: The processes.

    Returns:
        The arrays with the rows of all pictures in their order, on all processes.

    Raises:
        ValueError: A picture could not be read.
    """
    told = ranks.gather((outputs.indices, tuple(rows), outputs.unreadable))
    refuse_unreadable([skipped for _, _, unreadable in told for skipped in unreadable])
    shares = [(indices, found) for indices, found, _ in told if len(indices)]
    order = np.argsort(np.concatenate([indices for indices, _ in shares]))
    return tuple(np.concatenate([found[i] for _, found in shares])[order] for i in range(len(rows)))


def refuse_unreadable(unreadable: Sequence[Skipped]) -> None:
    """Raise a ValueError where a picture for validation cannot be read."""
    if unreadable:
        name, reason = min(unreadable)
        others = f" and {len(unreadable) - 1:,} more" if len(unreadable) > 1 else ""
        raise ValueError(
            f"the picture for validation {name}{others} cannot be read ({reason}); mend it and go on with --resume, "
            "for without it the scores would be others"
        )
