"""Choosing the device and the arithmetic."""

from typing import Literal

import torch
from lightning_fabric import Fabric


def check_accelerator(accelerator: Literal["auto", "cpu", "gpu"]) -> None:
    """Raise a ValueError if there is no such device here."""
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise ValueError("accelerator is gpu, but torch finds no CUDA device here; take auto or cpu")


def build_fabric(*, accelerator: Literal["auto", "cpu", "gpu"], precision: Literal["float32", "bf16"]) -> Fabric:
    """Fabric on one device.

    Args:
        accelerator: As `RunConfig.accelerator`.
        precision: As `RunConfig.precision`.

    Raises:
        ValueError: There is no such device here.
    """
    check_accelerator(accelerator)
    return Fabric(accelerator=accelerator, devices=1, precision="32-true" if precision == "float32" else "bf16-mixed")
