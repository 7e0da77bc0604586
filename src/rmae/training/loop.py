"""The pre-training loop."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import torch
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn

from rmae.config import PretrainConfig
from rmae.data.image_set import ImageSet
from rmae.data.images import check_channels
from rmae.data.loader import open_batches, to_device
from rmae.data.order import BatchOrder
from rmae.data.samples import Batch, PretrainSamples
from rmae.interruption import StopSignal, TrainingStopped
from rmae.models.build import build_model, num_trainable_parameters
from rmae.training.checkpoint import RunProgress, prune_checkpoints, read_progress, restore_checkpoint, save_checkpoint
from rmae.training.finite import FiniteGuard, NonFiniteError
from rmae.training.metrics import MetricLog, Metrics, MetricWindow
from rmae.training.news import News
from rmae.training.optimizer import build_optimizer
from rmae.training.progress_line import ProgressLine
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder
from rmae.training.schedule import lr_factor
from rmae.training.step import PretrainStep


def check_trainable(config: PretrainConfig, images: ImageSet, *, folder: Path, world_size: int = 1) -> None:
    """Raise a ValueError if a run could not even start.

    Args:
        config: The run.
        images: What to train on.
        folder: The run's; how far it is may forbid a shorter run.
        world_size: Number of processes that train together.
    """
    check_channels(config.model.channels)
    num_samples = len(images.names) * config.data.crops_per_image
    num_updates = _order(config, num_samples, rank=0, world_size=world_size, first_update=0).num_updates
    done = read_progress(folder).update
    if done > num_updates:
        raise ValueError(f"the run in {folder} is at update {done} already; it cannot be made {num_updates} long")


def train(config: PretrainConfig, images: ImageSet, folder: RunFolder, ranks: Ranks) -> None:
    """Train a model; leave checkpoints and metrics in a run's folder.

    Args:
        config: The run.
        images: What to train on.
        folder: Where everything goes; exists. Where it has a checkpoint, training goes on from the newest.
        ranks: The processes that train together; each calls this.

    Raises:
        ValueError: The data do not fill a batch, or too many images cannot be read.
        NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
        TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
        FailedElsewhere: Another process failed.
    """
    progress = ranks.first_does(lambda: read_progress(folder.path))
    learner = _set_up(config, folder, progress, ranks)
    device, accumulate = ranks.fabric.device, config.optimizer.accumulate
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=config.run.seed)
    num_updates = config.optimizer.num_updates(len(samples))
    window = MetricWindow(device, progress.window_sums, progress.window_updates)
    news = News(config, images, folder, ranks)
    log = MetricLog(folder, progress.update, writes=ranks.is_first)
    line = ProgressLine(num_updates, progress.update, config.optimizer.batch_size, shown=ranks.is_first)
    with StopSignal() as stop, _open_batches(config, ranks, samples, progress.update) as loaded, closing(log), line:
        batches = to_device(loaded, device)
        line.print(_describe(config, ranks, learner.model, len(images.names), len(samples), num_updates))
        for update in range(progress.update, num_updates):
            lr = _set_learning_rate(config, learner.optimizer, update, num_updates)
            values = torch.zeros(4, device=device)  # total, pixel and region loss, norm of the gradient
            for step in range(accumulate):
                batch = next(batches)
                news.add(batch.skipped)
                with ranks.fabric.no_backward_sync(learner.step, enabled=step < accumulate - 1):
                    losses = learner.step(*batch.tensors())
                    ranks.fabric.backward(losses.total / accumulate)
                values[:3] += torch.stack(losses).detach() / accumulate

            ranks.average_(values)
            values[3] = _clip_gradients(learner.model, config.optimizer.clip_grad)
            learner.guard.check(update, values)
            learner.wrapped_optimizer.step()
            learner.wrapped_optimizer.zero_grad()
            window.add(values)
            line.advance()

            done = update + 1
            logs = done % config.run.log_every == 0 or done == num_updates
            saves = done % config.run.checkpoint_every == 0 or done == num_updates
            stopped_by = news.share(stop) if ranks.is_alone or logs or saves else None
            if logs:
                _stop_if_not_finite(learner, config, folder)
                metrics = _read_metrics(config, window, done, lr, len(samples), news.num_skipped)
                ranks.first_does(partial(log.add, metrics))
                line.show(metrics)
            if saves or stopped_by is not None:
                _save(learner, config, folder, RunProgress(done, *window.state()))
            if stopped_by is not None and done < num_updates:
                raise TrainingStopped(f"stopped by {stopped_by.name} after update {done} of {num_updates}")


class _Learner(NamedTuple):
    """A model and its optimiser, plain and as Fabric wraps them."""

    ranks: Ranks
    """The processes that each have a copy."""
    model: nn.Module
    """Plain: its names are those of checkpoints."""
    optimizer: torch.optim.AdamW
    step: _FabricModule
    """From a batch to its losses, with the model inside."""
    wrapped_optimizer: torch.optim.Optimizer
    guard: FiniteGuard
    """What the optimiser asks before each step."""


def _set_up(config: PretrainConfig, folder: RunFolder, progress: RunProgress, ranks: Ranks) -> _Learner:
    if config.run.num_threads is not None:
        torch.set_num_threads(config.run.num_threads)
    model = build_model(config.model, generator=torch.Generator().manual_seed(config.run.seed))
    model.set_grad_checkpointing(config.run.checkpoint_activations)
    optimizer = build_optimizer(model, config.optimizer)
    step = PretrainStep(model, config.loss, pixel_mean=config.data.pixel_mean, pixel_std=config.data.pixel_std)
    # Fabric takes the compiled wrapper off and puts it back around what it wraps the module in.
    compiled = cast(nn.Module, torch.compile(step)) if config.run.compile else step
    wrapped_step, wrapped_optimizer = ranks.fabric.setup(compiled, optimizer)
    restore_checkpoint(folder.path, model, optimizer, progress)
    guard = FiniteGuard(ranks.fabric.device)
    optimizer.found_inf = guard.found_inf  # pyright: ignore[reportAttributeAccessIssue]  # read by the fused step
    return _Learner(ranks, model, optimizer, wrapped_step, wrapped_optimizer, guard)


def _open_batches(
    config: PretrainConfig, ranks: Ranks, samples: PretrainSamples, first_update: int
) -> AbstractContextManager[Iterator[Batch]]:
    order = _order(config, len(samples), rank=ranks.rank, world_size=ranks.world_size, first_update=first_update)
    num_workers = config.data.num_workers
    if num_workers is None:
        num_workers = ranks.num_cores_each()
    return open_batches(samples, order, num_workers=num_workers, pin_memory=ranks.fabric.device.type == "cuda")


def _order(config: PretrainConfig, num_samples: int, *, rank: int, world_size: int, first_update: int) -> BatchOrder:
    return BatchOrder(
        num_samples=num_samples,
        batch_size=config.optimizer.batch_size,
        steps_per_update=config.optimizer.accumulate,
        rank=rank,
        world_size=world_size,
        seed=config.run.seed,
        first_update=first_update,
        num_updates=config.optimizer.num_updates(num_samples),
    )


def _set_learning_rate(
    config: PretrainConfig, optimizer: torch.optim.Optimizer, update: int, num_updates: int
) -> float:
    """Set and return the rate of an update."""
    lr = config.optimizer.lr * lr_factor(update, num_updates=num_updates, warmup=config.optimizer.warmup)
    for group in optimizer.param_groups:
        group["lr"] = lr
    return lr


def _clip_gradients(model: nn.Module, max_norm: float | None) -> Tensor:
    """Scale gradients down to a norm, if one is given; returns their norm before, on the device."""
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    if max_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm


def _read_metrics(
    config: PretrainConfig, window: MetricWindow, update: int, lr: float, num_samples: int, skipped: int
) -> Metrics:
    """The metrics since the last log step; the next window begins."""
    total, pixel, region, grad_norm = window.means()
    batch_size = config.optimizer.batch_size
    metrics = Metrics(
        update=update,
        epoch=update * batch_size / num_samples,
        loss=total,
        pixel_loss=pixel if config.model.has_pixel_decoder else None,
        region_loss=region if config.model.has_region_branch else None,
        grad_norm=grad_norm,
        lr=lr,
        images_per_s=window.updates_per_s() * batch_size,
        skipped=skipped,
    )
    window.restart()
    return metrics


def _stop_if_not_finite(learner: _Learner, config: PretrainConfig, folder: RunFolder) -> None:
    """Read the guard's flag, the same on all processes, and save what stands before the first bad update."""
    first_bad = learner.guard.first_bad()
    if first_bad is None:
        return
    checkpoint = _write_checkpoint(learner, config, folder, RunProgress(update=first_bad))
    raise NonFiniteError(
        f"{learner.guard.describe()}; the weights from before it are in {checkpoint}: go on with a lower --base-lr, "
        "with --clip-grad 1 or with --precision float32"
    )


def _save(learner: _Learner, config: PretrainConfig, folder: RunFolder, progress: RunProgress) -> None:
    _stop_if_not_finite(learner, config, folder)
    _write_checkpoint(learner, config, folder, progress)


def _write_checkpoint(learner: _Learner, config: PretrainConfig, folder: RunFolder, progress: RunProgress) -> Path:
    def write() -> Path:
        checkpoint = save_checkpoint(folder.checkpoints, learner.model, learner.optimizer, progress, config.model)
        prune_checkpoints(folder.checkpoints, config.run)
        return checkpoint

    return learner.ranks.first_does(write)


def _describe(
    config: PretrainConfig, ranks: Ranks, model: nn.Module, num_images: int, num_samples: int, num_updates: int
) -> str:
    optimizer = config.optimizer
    batch = f"{optimizer.batch_size:,}"
    parts = {"processes": ranks.world_size, "steps": optimizer.accumulate}
    split = "".join(f"{number} {name} x " for name, number in parts.items() if number > 1)
    if split:
        batch += f" = {split}{optimizer.batch_size // (ranks.world_size * optimizer.accumulate):,}"
    return (
        f"{config.name}: {config.model.task} with {num_trainable_parameters(model):,} trainable parameters; "
        f"{num_images:,} images, {num_samples:,} samples an epoch; "
        f"{num_updates:,} updates with a batch of {batch}; "
        f"learning rate {optimizer.lr:.2e} = {optimizer.base_lr:.2e} x {optimizer.batch_size:,} / 256"
    )
