"""Work that several equal processes share."""

import os
from typing import NamedTuple


class Share(NamedTuple):
    """Which of several equal processes, on one machine or many, this one is."""

    rank: int
    """From 0."""
    num_ranks: int
    """How many there are."""

    @classmethod
    def of_environment(cls) -> "Share":
        """As torchrun or Slurm's srun say; the only one where neither started this process."""
        for rank, num_ranks in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
            if rank in os.environ and num_ranks in os.environ:
                return cls(int(os.environ[rank]), int(os.environ[num_ranks]))
        return cls(0, 1)
