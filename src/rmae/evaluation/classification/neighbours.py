"""Classifying by the nearest neighbours in a space of features."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_QUERIES, _FEATURES = 1024, 16_384  # compared at once: 64 MB of similarities, and four times that to rank them
_LOW = 0xFFFFFFFF  # the lower 32 bits of a rank


class Neighbours(NamedTuple):
    """The k training pictures most similar to each of Q queries, the most similar first."""

    similarity: np.ndarray
    """Cosine similarity, shape (Q, k) float32 in [-1, 1]."""
    indices: np.ndarray
    """Which training picture, shape (Q, k) int64."""


def nearest_ranks(
    queries: Tensor,
    features: Tensor,
    indices: Tensor,
    *,
    k: int,
    device: torch.device,
    chunk: tuple[int, int] = (_QUERIES, _FEATURES),
) -> Tensor:
    """Find the training pictures most similar to each query, a part of both at a time.

    Args:
        queries: Shape (Q, D) float32, each of length 1.
        features: Of the training pictures, shape (N, D) float32, each of length 1.
        indices: Number of each of these pictures among all of them, shape (N,) int64 in [0, 2^32).
        k: Neighbours to find; where there are fewer pictures, all are.
        device: Where to compare; all of `queries` and a part of `features` lie there.
        chunk: Queries and training pictures that are compared at once.

    Returns:
        Ranks, shape (Q, min(k, N)) int64, in falling order, on the device: the more similar picture has the higher one,
        and of equally similar ones that of the lower number. So the pictures may be split in any way: ranks found of
        the parts are merged by `merge_ranks`.
    """
    queries = queries.to(device)
    best = torch.empty(len(queries), 0, dtype=torch.int64, device=device)
    for start in range(0, len(features), chunk[1]):
        some, numbers = (part[start : start + chunk[1]].to(device) for part in (features, indices))
        found = [merge_ranks([_ranks(part @ some.T, numbers)], k) for part in queries.split(chunk[0])]
        best = merge_ranks([best, torch.cat(found)], k)
    return best


def merge_ranks(ranks: Sequence[Tensor], k: int) -> Tensor:
    """Keep the k highest ranks of each query, from any number of parts (Q, n) int64; in falling order."""
    together = torch.cat(tuple(ranks), dim=1)
    return together.topk(min(k, together.shape[1]), dim=1).values


def read_ranks(ranks: Tensor) -> Neighbours:
    """Find what ranks stand for.

    Args:
        ranks: Shape (Q, k) int64, of `nearest_ranks`.
    """
    ranks = ranks.cpu()
    return Neighbours(_bits_in_order((ranks >> 32).int()).view(torch.float32).numpy(), (_LOW - (ranks & _LOW)).numpy())


def vote(
    neighbours: Neighbours, labels: np.ndarray, *, num_classes: int, k: int, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Have the k nearest vote, each with the weight exp(similarity / temperature).

    Args:
        neighbours: At least one for each of Q queries.
        labels: Classes of the training pictures, shape (N,) int64 in [0, C).
        num_classes: C.
        k: How many vote, >= 1.
        temperature: Above 0.

    Returns:
        Classes of the most votes, shape (Q, min(C, 5)) int64, best first and among equals the lower one, and their
        share of all votes, same shape, float32.

    Source:
        Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination (2018), section 3.4.
    """
    similarity = torch.from_numpy(neighbours.similarity[:, :k]).double()
    # Weighed against the nearest one's, so that no temperature makes a weight infinite.
    weights = ((similarity - similarity[:, :1]) / temperature).exp()
    voters = torch.from_numpy(labels[neighbours.indices[:, :k]])
    ranked, shares = [], []
    for some_weights, some_voters in zip(weights.split(_QUERIES), voters.split(_QUERIES), strict=True):
        votes = torch.zeros(len(some_weights), num_classes, dtype=torch.float64)
        votes.scatter_add_(1, some_voters, some_weights)
        best = votes.sort(dim=1, descending=True, stable=True)
        ranked.append(best.indices[:, :5])
        shares.append(best.values[:, :5] / votes.sum(dim=1, keepdim=True))
    return torch.cat(ranked).numpy(), torch.cat(shares).float().numpy()


def _ranks(similarity: Tensor, indices: Tensor) -> Tensor:
    """Similarity (Q, n) float32 in the upper 32 bits, the picture's number (n,) in the lower ones."""
    bits = (similarity + 0.0).view(torch.int32)  # -0 becomes 0, to which it is equal
    return (_bits_in_order(bits).long() << 32) | (_LOW - indices)


def _bits_in_order(bits: Tensor) -> Tensor:
    """Bits of floats as integers in the same order; the same again gives the floats' bits."""
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
