"""The learning rate of every update."""

import math


def lr_factor(update: int, *, num_updates: int, warmup: float) -> float:
    """Share of the peak learning rate: a linear rise from 0, then half a cosine to 0.

    Args:
        update: Updates done before this one, in [0, num_updates].
        num_updates: Length of the run.
        warmup: Share of the run that the rise takes, in [0, 1).

    Returns:
        A factor in [0, 1].

    Source:
        facebookresearch/mae, `util/lr_sched.py`, set at every update.
    """
    num_warmup = warmup * num_updates
    if update < num_warmup:
        return update / num_warmup
    return 0.5 * (1 + math.cos(math.pi * (update - num_warmup) / (num_updates - num_warmup)))


def poly_factor(update: int, *, num_updates: int, warmup: float, power: float = 1.0) -> float:
    """Share of the peak learning rate: a linear rise from 0, then a fall to 0 as a power of what is left.

    Args:
        update: Updates done before this one, in [0, num_updates].
        num_updates: Length of the run.
        warmup: Share of the run that the rise takes, in [0, 1).
        power: Of the fall, above 0; 1 = a straight line.

    Returns:
        A factor in [0, 1].
    """
    num_warmup = warmup * num_updates
    if update < num_warmup:
        return update / num_warmup
    return ((num_updates - update) / (num_updates - num_warmup)) ** power


def step_factor(
    update: int,
    *,
    num_updates: int,
    warmup: float,
    milestones: tuple[float, ...] = (8 / 9, 26 / 27),
    gamma: float = 0.1,
) -> float:
    """Share of the peak learning rate: a linear rise from 0, then a drop at each milestone.

    Args:
        update: Updates done before this one, in [0, num_updates].
        num_updates: Length of the run.
        warmup: Share of the run that the rise takes, in [0, 1).
        milestones: Shares of the run after which the rate drops; the defaults are ViTDet's.
        gamma: Factor of each drop, in (0, 1].

    Returns:
        A factor in [0, 1].

    Source:
        ViTDet (arXiv 2203.16527), appendix.
    """
    num_warmup = warmup * num_updates
    if update < num_warmup:
        return update / num_warmup
    return gamma ** sum(update >= milestone * num_updates for milestone in milestones)
