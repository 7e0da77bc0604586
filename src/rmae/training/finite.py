"""Keeping non-finite numbers away from the weights without waiting for the device."""

import math

import torch
from torch import Tensor


class NonFiniteError(ArithmeticError):
    """The loss or its gradient was not finite; the weights are as before that update."""


class FiniteGuard:
    """Remembers the first update whose losses or gradient were not finite, and stops all later ones.

    Reading the flag at every step would make the host wait for the device; it stays there, sticky, and the optimiser
    takes it as it is.

    Args:
        device: Where the losses are.
        loss_names: What the losses are called, the total first; at least one.
    """

    def __init__(self, device: torch.device, loss_names: tuple[str, ...]) -> None:
        self._names = loss_names
        self.found_inf = torch.zeros((), device=device)
        """1 from the first bad update on, else 0: what fused AdamW takes under this name."""
        self._first_bad = torch.zeros((), dtype=torch.int64, device=device)
        self._values = torch.zeros(len(loss_names) + 1, device=device)

    def check(self, update: int, values: Tensor) -> None:
        """Look at one update, before the optimiser's step.

        Args:
            update: Its number, from 0.
            values: The losses in the order of their names, and the gradient's norm, shape (n + 1,) float32.
        """
        is_bad = values.isfinite().all().logical_not()
        is_first = is_bad & (self.found_inf == 0)
        self._first_bad.copy_(torch.where(is_first, update, self._first_bad))
        self._values.copy_(torch.where(is_first, values, self._values))
        self.found_inf.copy_(torch.maximum(self.found_inf, is_bad.float()))

    def first_bad(self) -> int | None:
        """Number of the first bad update, from 0, or None; waits for the device."""
        return int(self._first_bad) if self.found_inf.item() else None

    def describe(self) -> str:
        """The losses of the first bad update, in words."""
        *losses, grad_norm = self._values.tolist()
        what = "the loss" if not math.isfinite(losses[0]) else "the gradient"
        parts = zip(self._names, losses, strict=True)
        told = [f"{name.replace('_', ' ')} {loss:.4g}" for name, loss in parts][len(losses) > 1 :]  # of parts, no total
        return (
            f"{what} was not finite at update {int(self._first_bad) + 1} "
            f"({', '.join(told)}, gradient norm {grad_norm:.4g})"
        )
