"""Running an encoder or a classifier over the pictures of a set, shared out over the processes."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rmae.data.image_progress import ImageProgress
from rmae.data.skips import Skipped
from rmae.evaluation.classification.pictures import PictureReading, open_pictures
from rmae.ops.normalisation import Normalise
from rmae.training.ranks import Ranks


class Outputs(NamedTuple):
    """What came of a process's share of the pictures."""

    indices: np.ndarray
    """Which pictures, shape (n,) int64, in any order."""
    values: Tensor
    """What each gave, shape (n, ...), float32 on the CPU; shape (0,) where n is 0."""
    unreadable: tuple[Skipped, ...]
    """Pictures of the share that could not be read."""


class Inference(NamedTuple):
    """How pictures go through a model."""

    normalise: Normalise
    """On the device."""
    ranks: Ranks
    """The processes; each takes every n-th picture."""
    batch_size: int
    """Pictures at once on each device."""
    num_workers: int
    """Processes that read, for each of the ranks."""


def run_over(
    model: Callable[[Tensor], Tensor], reading: PictureReading, inference: Inference, *, doing: str | None
) -> Outputs:
    """Run a model over this process's share of the pictures of a set.

    Args:
        model: From normalised pictures (B, 3, h, w), on the device, to (B, ...); in evaluation mode.
        reading: The set, and how its pictures are cut.
        inference: How they go through the model.
        doing: What the first process shows is done, in words that stand before the number of pictures; None = nothing.

    Returns:
        The outputs of this process's pictures.
    """
    ranks = inference.ranks
    share = np.arange(ranks.rank, len(reading.images.names), ranks.world_size)
    progress = ImageProgress(len(share), done=0, doing=doing) if doing and ranks.is_first else None
    indices: list[np.ndarray] = []
    values: list[Tensor] = []
    unreadable: list[Skipped] = []
    opened = open_pictures(reading, share, batch_size=inference.batch_size, num_workers=inference.num_workers)
    with progress or nullcontext(), opened as batches, torch.inference_mode():
        for batch in batches:
            unreadable += [Skipped(reading.images.names[index], reason) for index, reason in batch.unreadable]
            if len(batch.indices):
                indices.append(batch.indices)
                values.append(_forward(model, batch.pixels, inference))
            if progress:
                for _ in range(len(batch.indices) + len(batch.unreadable)):
                    progress.advance()
    if not values:  # more processes than pictures
        return Outputs(np.empty(0, dtype=np.int64), torch.empty(0), tuple(unreadable))
    return Outputs(np.concatenate(indices), torch.cat(values), tuple(unreadable))


def _forward(model: Callable[[Tensor], Tensor], pixels: np.ndarray, inference: Inference) -> Tensor:
    fabric = inference.ranks.fabric
    images = inference.normalise(torch.from_numpy(pixels).to(fabric.device))
    with fabric.autocast():
        return model(images).float().cpu()
