"""Choosing the device and the arithmetic."""

import logging
import os
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from rmae.training.launch import Launch

_PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed", "float64": "64-true"}
_MOST_PROCESSES_A_CORE = 4
_ALONE = Launch(rank=0, world_size=1, local_rank=0, local_world_size=1, address="127.0.0.1", port=0)


def check_accelerator(accelerator: Literal["auto", "cpu", "gpu"], num_devices: int = 1) -> None:
    """Raise a ValueError if there are no such devices here."""
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise ValueError("accelerator is gpu, but torch finds no CUDA device here; take auto or cpu")
    if accelerator != "cpu" and torch.cuda.is_available() and num_devices > torch.cuda.device_count():
        raise ValueError(
            f"{num_devices} processes on this machine need as many GPUs, and torch finds {torch.cuda.device_count()} "
            "here; start fewer (--devices, torchrun --nproc-per-node, srun --ntasks-per-node), or show each process "
            "all GPUs of the machine"
        )
    cores = len(os.sched_getaffinity(0))
    if (accelerator == "cpu" or not torch.cuda.is_available()) and num_devices > _MOST_PROCESSES_A_CORE * cores:
        raise ValueError(
            f"{num_devices} processes on the CPU of this machine, of which {cores} cores may be used, would keep each "
            f"other from working; start at most {_MOST_PROCESSES_A_CORE * cores} (--devices)"
        )


def build_fabric(
    *,
    accelerator: Literal["auto", "cpu", "gpu"],
    precision: Literal["float32", "bf16", "float64"],
    launch: Launch | None = None,
) -> Fabric:
    """Fabric on one device for each process.

    Args:
        accelerator: As `RunConfig.accelerator`.
        precision: As `RunConfig.precision`.
        launch: Which process of how many this is; None = the only one.

    Raises:
        ValueError: There are no such devices here.
    """
    launch = _ALONE if launch is None else launch
    check_accelerator(accelerator, launch.local_world_size)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells about each process that it starts
    return Fabric(
        accelerator=accelerator,
        strategy="auto" if launch.world_size == 1 else DDPStrategy(gradient_as_bucket_view=True),
        devices=launch.local_world_size,
        num_nodes=launch.num_nodes,
        precision=_PRECISIONS[precision],  # pyright: ignore[reportArgumentType]  # its literals, as strings
        plugins=[_Launched(launch)],
    )


class _Launched(ClusterEnvironment):
    """Tells Fabric what a launch says: of processes that are there already."""

    def __init__(self, launch: Launch) -> None:
        super().__init__()
        self._launch = launch

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self._launch.address

    @property
    def main_port(self) -> int:
        return self._launch.port

    @staticmethod
    def detect() -> bool:
        return False  # it is always passed in

    def world_size(self) -> int:
        return self._launch.world_size

    def set_world_size(self, size: int) -> None:
        assert size == self._launch.world_size

    def global_rank(self) -> int:
        return self._launch.rank

    def set_global_rank(self, rank: int) -> None:
        assert rank == self._launch.rank

    def local_rank(self) -> int:
        return self._launch.local_rank

    def node_rank(self) -> int:
        return self._launch.rank // self._launch.local_world_size
