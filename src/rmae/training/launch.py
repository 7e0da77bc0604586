"""Which process of how many this one is, as its launcher says; no torch."""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Launch(NamedTuple):
    """One process among those that train together."""

    rank: int
    """Which one this is, in [0, world_size)."""
    world_size: int
    """Number of processes on all machines."""
    local_rank: int
    """Which one of this machine, in [0, local_world_size)."""
    local_world_size: int
    """Number of processes on this machine, the same on every machine."""
    address: str
    """Name or address of the first process's machine."""
    port: int
    """Port there, over which the processes meet."""

    @property
    def num_nodes(self) -> int:
        """Number of machines."""
        return self.world_size // self.local_world_size


def read_launch(environ: Mapping[str, str]) -> Launch | None:
    """What torchrun or srun says about this process.

    Args:
        environ: The environment's variables.

    Returns:
        Its place among the others; None where no launcher started it, or srun for one task alone, whose devices
        are then the run's own choice.

    Raises:
        ValueError: The processes are spread unevenly, or an unknown launcher started them.
    """
    if "TORCHELASTIC_RUN_ID" in environ:  # first, since torchrun may itself be started by srun
        return _evenly_spread(
            Launch(
                rank=int(environ["RANK"]),
                world_size=int(environ["WORLD_SIZE"]),
                local_rank=int(environ["LOCAL_RANK"]),
                local_world_size=int(environ["LOCAL_WORLD_SIZE"]),
                address=environ["MASTER_ADDR"],
                port=int(environ["MASTER_PORT"]),
            ),
            num_nodes=int(environ.get("GROUP_WORLD_SIZE", "1")),
        )
    if int(environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return _read_slurm(environ)
    if int(environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            f"WORLD_SIZE is {environ['WORLD_SIZE']}, but neither torchrun nor srun started this process; start the run "
            "with one of them or with --devices, or unset WORLD_SIZE"
        )
    return None


def is_first_here(environ: Mapping[str, str]) -> bool:
    """Whether this is the first process on its machine: the one that says what is wrong before all have met."""
    if "TORCHELASTIC_RUN_ID" in environ:
        return environ.get("LOCAL_RANK", "0") == "0"
    return int(environ.get("SLURM_STEP_NUM_TASKS", "1")) == 1 or environ.get("SLURM_LOCALID", "0") == "0"


def is_first(environ: Mapping[str, str]) -> bool:
    """Whether this is the first process of all: the one that says what was done."""
    if "TORCHELASTIC_RUN_ID" in environ:
        return environ.get("RANK", "0") == "0"
    return int(environ.get("SLURM_STEP_NUM_TASKS", "1")) == 1 or environ.get("SLURM_PROCID", "0") == "0"


def _read_slurm(environ: Mapping[str, str]) -> Launch:
    # An sbatch or salloc shell has SLURM_NTASKS too, but only srun starts a step.
    world_size = int(environ["SLURM_STEP_NUM_TASKS"])
    num_nodes = int(environ.get("SLURM_STEP_NUM_NODES", environ.get("SLURM_NNODES", "1")))
    job = environ.get("SLURM_JOB_ID", "0")
    launch = Launch(
        rank=int(environ["SLURM_PROCID"]),
        world_size=world_size,
        local_rank=int(environ["SLURM_LOCALID"]),
        local_world_size=world_size // num_nodes,
        address=environ.get("MASTER_ADDR")
        or first_node(environ.get("SLURM_STEP_NODELIST", environ.get("SLURM_NODELIST", "127.0.0.1"))),
        port=int(environ.get("MASTER_PORT", 15000 + int(job[-4:]))),  # a port of its own for jobs on one machine
    )
    return _evenly_spread(launch, num_nodes=num_nodes)


def _evenly_spread(launch: Launch, *, num_nodes: int) -> Launch:
    if launch.local_world_size * num_nodes != launch.world_size or launch.local_rank >= launch.local_world_size:
        raise ValueError(
            f"{launch.world_size} processes are not spread evenly over {num_nodes} machine(s); start the same number "
            "on each (srun --ntasks-per-node, torchrun --nproc-per-node)"
        )
    if launch.rank % launch.local_world_size != launch.local_rank:
        raise ValueError(
            "processes of one machine must follow one another; start them with srun --distribution=block, or with "
            "torchrun"
        )
    return launch


def first_node(nodes: str) -> str:
    """The first machine of Slurm's list, `gpu[03-05,9],login1` say."""
    prefix, bracket, rest = nodes.partition("[")
    if not bracket or "," in prefix:
        return nodes.split(",")[0]
    inside, _, suffix = rest.partition("]")
    return prefix + re.split("[-,]", inside)[0] + first_node(suffix)
