"""Choosing patches whose attention is worth a look: in different parts of a picture."""

import torch
from torch import Tensor
from torch.nn import functional

_PLACE_WEIGHT = 0.5  # of a patch's place beside its features, both as vectors of about length 1
_ROUNDS = 5  # after so many, parts hardly move any more


def choose_query_patches(features: Tensor, grid: tuple[int, int], num_queries: int) -> Tensor:
    """Choose patches that stand for parts of a picture which differ in their features or lie far from each other.

    Patches are taken one after the other, each as far as can be from all before it; then each gathers the patches that
    are nearest to it, and the one in the middle of those takes its place. Nothing is random.

    Args:
        features: Of the patches of one picture in raster order, shape (L, D) float.
        grid: Rows and columns of patches; their product is L.
        num_queries: Patches to choose; of fewer patches than that all are taken.

    Returns:
        Patches, shape (num_queries,) int64, each once, in raster order.
    """
    rows, columns = grid
    places = torch.cartesian_prod(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns))  # (L, 2)
    points = functional.normalize(features.float().cpu() - features.float().cpu().mean(dim=0), dim=1)
    points = torch.cat([points, _PLACE_WEIGHT * places], dim=1)
    chosen = _far_from_each_other(points, min(num_queries, len(points)))
    for _ in range(_ROUNDS):
        # Without the faster way through products, by which a point may seem to be nearer to another one than to itself.
        distances = torch.cdist(points, points[chosen], compute_mode="donot_use_mm_for_euclid_dist")
        nearest = distances.argmin(dim=1)
        chosen = torch.stack([_middle(points, nearest == part) for part in range(len(chosen))])
    return chosen.sort().values


def _far_from_each_other(points: Tensor, number: int) -> Tensor:
    """Begin with the point farthest from the mean; take next what is farthest from all taken."""
    distances = (points - points.mean(dim=0)).norm(dim=1)
    taken = [int(distances.argmax())]
    distances = torch.full_like(distances, torch.inf)
    while len(taken) < number:
        distances = torch.minimum(distances, (points - points[taken[-1]]).norm(dim=1))
        distances[taken] = -1  # of points that are alike, too, each is taken once
        taken.append(int(distances.argmax()))
    return torch.tensor(taken)


def _middle(points: Tensor, members: Tensor) -> Tensor:
    """The member of a part that is nearest to the part's mean."""
    ids = members.nonzero().flatten()
    distances = (points[ids] - points[ids].mean(dim=0)).norm(dim=1)
    return ids[distances.argmin()]
