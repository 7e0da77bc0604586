"""Maps that know nothing of the picture, and one that knows all: what scores mean is told by theirs."""

import numpy as np
import torch
from torch import Tensor

from rmae.evaluation.localisation.queries import patch_distances
from rmae.evaluation.localisation.scores import MapScores, score_map

CONTROLS = ("chance", "nearness", "ceiling")
"""In the order in which they are told everywhere."""
_RANDOM_MAPS = 16  # of each object, for the one score of chance that has no formula


def chance_scores(inside: Tensor, outside: Tensor, values: Tensor) -> MapScores:
    """What maps of random values score on average.

    Mass and pointing are the share of the pixels that lie inside, and the area under the curve is a half: exactly,
    where all cells have as many pixels or none. The best IoU is a mean over some random maps, for a map with many
    thresholds to choose from does better than that share.

    Args:
        inside: Pixels of each cell inside the mask, shape (n, N).
        outside: The same outside.
        values: Random values without ties, shape (n, K, N) float: K maps for each object.

    Returns:
        Scores of shape (n,).
    """
    inside, outside = inside.double(), outside.double()
    share = inside.sum(-1) / (inside + outside).sum(-1)
    best = score_map(values, inside[:, None], outside[:, None]).iou.mean(-1)
    return MapScores(auc=torch.full_like(share, 0.5), mass=share, pointing=share, iou=best)


def ceiling_scores(inside: Tensor, outside: Tensor) -> MapScores:
    """The best that any map of such cells can score: each score has a map of its own that reaches it.

    Cells sorted by the share of their pixels that lie inside have the best curve and the best thresholds, and a map of
    the one cell with the largest share has the most mass inside.

    Args:
        inside: Pixels of each cell inside the mask, shape (..., N).
        outside: The same outside.

    Returns:
        Scores of shape (...).
    """
    pixels = (inside + outside).double()
    scores = score_map(inside.double() / pixels.clamp(min=1), inside, outside)
    return scores._replace(mass=scores.pointing)


def control_scores(
    inside: np.ndarray,
    outside: np.ndarray,
    patches: np.ndarray,
    numbers: np.ndarray,
    grid: tuple[int, int],
    *,
    seed: int,
) -> np.ndarray:
    """Scores of all controls for n objects on a grid of L patches.

    Nearness is minus the distance of a patch from the query patch. It has no mass: that would depend on how fast it
    falls off, and the mass of the steepest fall is what it has in pointing.

    Args:
        inside: Pixels of each patch inside the masks, shape (n, L) int64.
        outside: The same outside.
        patches: Query patches, shape (n,) int64.
        numbers: Which objects these are, shape (n,) int64: what is random depends on them and the seed alone.
        grid: Rows and columns of patches.
        seed: Seed of the run, >= 0.

    Returns:
        Shape (n, 3, 4) float64: controls in the order of `CONTROLS`, scores in that of `MapScores`.
    """
    random = np.empty((len(numbers), _RANDOM_MAPS, inside.shape[1]))
    for number, values in zip(numbers.tolist(), random, strict=True):
        np.random.default_rng((seed, number)).random(out=values)
    ins, out = torch.from_numpy(inside), torch.from_numpy(outside)
    nearness = torch.from_numpy(-patch_distances(patches, grid))
    found = (chance_scores(ins, out, torch.from_numpy(random)), score_map(nearness, ins, out), ceiling_scores(ins, out))
    return torch.stack([scores.stacked() for scores in found], dim=1).numpy()
