"""A model and its optimiser: trained through Fabric, guarded, saved and gone on with."""

import errno
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from rmae.config import OptimizerConfig, RunConfig
from rmae.data.order import BatchOrder
from rmae.models.weights import newest_checkpoint
from rmae.training.checkpoint import RunProgress, prune_checkpoints, read_progress, restore_checkpoint, save_checkpoint
from rmae.training.finite import FiniteGuard, NonFiniteError
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # on the disk, in the quota, or for a file of its size


class Learner:
    """What is trained, plain and as Fabric wraps it; what every training loop does to it stands here once.

    Args:
        step: From the tensors of a batch to scalar losses, the total first; contains the model.
        model: Plain: its names are those of checkpoints. Fabric moves it to the device.
        optimizer: Over its parameters; a group's `lr_scale`, if it has one, multiplies the rate.
        loss_names: What the losses are called, in their order.
        folder: The run's; training goes on from its newest checkpoint if there is one.
        run: Compilation, and which checkpoints are kept.
        ranks: The processes that train together, each of which has a copy.
        kept: What each checkpoint also says of the model, as `json.dumps` takes it.

    Raises:
        ValueError: The newest checkpoint cannot be read or is of another model.
    """

    def __init__(
        self,
        step: nn.Module,
        *,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_names: tuple[str, ...],
        folder: RunFolder,
        run: RunConfig,
        ranks: Ranks,
        kept: Mapping[str, Any],
    ) -> None:
        if run.num_threads is not None:
            torch.set_num_threads(run.num_threads)
        self.ranks, self.folder, self.run, self.loss_names = ranks, folder, run, loss_names
        self._model, self._optimizer, self._kept = model, optimizer, kept
        self.progress = ranks.first_does(lambda: read_progress(folder.path))
        """How far the run was when this began."""
        # Fabric takes the compiled wrapper off and puts it back around what it wraps the module in.
        compiled = cast(nn.Module, torch.compile(step)) if run.compile else step
        self.step, self._wrapped_optimizer = ranks.fabric.setup(compiled, optimizer)
        restore_checkpoint(folder.path, model, optimizer, self.progress)
        self._num_applied = self.progress.update
        self._statistics = self._running_statistics()
        self._guard = FiniteGuard(self.device, loss_names)
        self._takes_flag = isinstance(optimizer, torch.optim.AdamW) and bool(optimizer.defaults["fused"])
        if self._takes_flag:
            optimizer.found_inf = self._guard.found_inf  # pyright: ignore[reportAttributeAccessIssue]  # read by the step

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.ranks.fabric.device

    @property
    def first_update(self) -> int:
        """Updates done before this one began."""
        return self.progress.update

    def order(self, optimizer: OptimizerConfig, *, num_samples: int, num_updates: int) -> BatchOrder:
        """Which of an epoch's samples come when in this process, from where training goes on.

        Args:
            optimizer: Size of a batch, and in how many steps it is made.
            num_samples: Samples in an epoch.
            num_updates: Length of the whole run.

        Raises:
            ValueError: The samples do not fill a batch, or it cannot be split evenly.
        """
        return BatchOrder(
            num_samples=num_samples,
            batch_size=optimizer.batch_size,
            steps_per_update=optimizer.accumulate,
            rank=self.ranks.rank,
            world_size=self.ranks.world_size,
            seed=self.run.seed,
            first_update=self.first_update,
            num_updates=num_updates,
        )

    def set_learning_rate(self, lr: float) -> float:
        """Set the rate of an update, times the scale of each group; returns it."""
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        return lr

    def zeros(self) -> Tensor:
        """Room for the losses of an update, in the order of their names, and for the gradient's norm."""
        return torch.zeros(len(self.loss_names) + 1, device=self.device)

    def no_sync(self, enabled: bool) -> AbstractContextManager[None]:
        """Leave gradients of the other processes out while this is entered: not the last step of an update."""
        return self.ranks.fabric.no_backward_sync(self.step, enabled=enabled)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss to those of earlier steps of the update."""
        self.ranks.fabric.backward(loss)

    def apply(self, update: int, values: Tensor, clip_grad: float | None) -> None:
        """Make an update of the weights, unless this or an earlier one is not finite.

        Args:
            update: Its number, from 0.
            values: As `zeros`; averaged over the processes in place, and given the gradient's norm before clipping.
            clip_grad: Largest norm of the gradient; None = no clipping.
        """
        self.ranks.average_(values)
        values[-1] = _clip_gradients(self._model, clip_grad)
        self._guard.check(update, values)
        # Fused AdamW looks at the guard's flag on the device; for another optimiser the host has to.
        if self._takes_flag or not self._guard.found_inf:
            self._wrapped_optimizer.step()
        self._wrapped_optimizer.zero_grad()
        for name, kept in self._statistics.items():
            kept.copy_(torch.where(self._guard.found_inf == 0, self._model.get_buffer(name), kept))
        self._num_applied = update + 1

    def is_after(self, num_updates: int) -> bool:
        """Whether what a checkpoint would hold is what it was after so many updates."""
        return self._num_applied == num_updates

    def _running_statistics(self) -> dict[str, Tensor]:
        """Copies of what the model follows beside its weights, and moves before an update of these is whole or good."""
        saved = self._model.state_dict().keys()
        return {name: moved.detach().clone() for name, moved in self._model.named_buffers() if name in saved}

    def stop_if_not_finite(self) -> None:
        """Read the guard's flag, the same on all processes; waits for the device.

        Raises:
            NonFiniteError: A loss or gradient was not finite; a checkpoint holds what stood before that update.
        """
        first_bad = self._guard.first_bad()
        if first_bad is None:
            return
        checkpoint = self.save(RunProgress(update=first_bad))
        raise NonFiniteError(
            f"{self._guard.describe()}; the weights from before it are in {checkpoint}: go on with a lower --base-lr, "
            "with --clip-grad 1 or with --precision float32"
        )

    def save(self, progress: RunProgress) -> Path:
        """Write a checkpoint, and delete those that are not to be kept; returns its folder.

        Raises:
            OSError: It cannot be written; the last one is as it was.
        """

        def write() -> Path:
            checkpoints = self.folder.checkpoints
            for name, kept in self._statistics.items():
                self._model.get_buffer(name).copy_(kept)
            try:
                checkpoint = save_checkpoint(checkpoints, self._model, self._optimizer, progress, self._kept)
            except OSError as error:
                last = newest_checkpoint(self.folder.path)
                kept = "there is none yet" if last is None else f"the last one, {last}, is whole"
                needed = "make room on the disk" if error.errno in _NO_ROOM else "see that it can be written"
                raise OSError(
                    f"the checkpoint of update {progress.update} cannot be written in {checkpoints} ({error}); {kept}: "
                    f"{needed}, then go on with --resume"
                ) from error
            prune_checkpoints(self.folder.path, self.run)
            return checkpoint

        return self.ranks.first_does(write)


class TotalLoss(NamedTuple):
    """The losses of a step that has but one."""

    total: Tensor
    """Scalar float32."""


def _clip_gradients(model: nn.Module, max_norm: float | None) -> Tensor:
    """Scale gradients down to a norm, if one is given; returns their norm before, on the device."""
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    if max_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
