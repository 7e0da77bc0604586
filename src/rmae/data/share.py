"""Work that several equal processes share."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from rmae.quoting import quoted


class Share(NamedTuple):
    """Which of several equal processes, on one machine or many, this one is."""

    rank: int
    """From 0."""
    num_ranks: int
    """How many there are."""

    @classmethod
    def of_environment(cls) -> "Share":
        """As torchrun or Slurm's srun say; the only one where neither started this process.

        Raises:
            ValueError: They say what cannot be.
        """
        for names in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
            said = [os.environ[name] for name in names if name in os.environ]
            if len(said) == len(names):
                return _checked(names, said)
        return cls(0, 1)


def _checked(names: Sequence[str], said: Sequence[str]) -> Share:
    try:
        share = Share(*map(int, said))
    except ValueError:
        share = None
    if share is None or not 0 <= share.rank < share.num_ranks:
        raise ValueError(
            f"{names[0]} is {quoted(said[0])} and {names[1]} is {quoted(said[1])}, but they must be whole numbers, the "
            "first from 0 to the second less one; start with torchrun or srun, which set them, or unset both"
        )
    return share
