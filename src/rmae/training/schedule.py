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
