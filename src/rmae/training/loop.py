"""The pre-training loop."""

from pathlib import Path

import torch
from torch import nn

from rmae.config import PretrainConfig
from rmae.config_json import config_to_json
from rmae.data.image_set import ImageSet
from rmae.data.images import check_channels
from rmae.data.loader import open_batches, to_device
from rmae.data.order import BatchOrder
from rmae.data.samples import PretrainSamples, collate
from rmae.models.build import build_model, num_trainable_parameters
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.training.checkpoint import read_progress
from rmae.training.journal import Journal
from rmae.training.learner import Learner
from rmae.training.optimizer import build_optimizer
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder
from rmae.training.schedule import lr_factor
from rmae.training.step import PretrainStep

_LOSSES = ("loss", "pixel_loss", "region_loss")


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
    num_updates = config.optimizer.num_updates(num_samples)
    BatchOrder(  # says what is wrong where batches cannot be formed or split
        num_samples=num_samples,
        batch_size=config.optimizer.batch_size,
        steps_per_update=config.optimizer.accumulate,
        rank=0,
        world_size=world_size,
        seed=config.run.seed,
        first_update=0,
        num_updates=num_updates,
    )
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
        WorkerDiedError: A process that reads images was ended from outside; where this one trains alone, a checkpoint
            holds the state.
        OSError: A checkpoint, or a line of metrics, cannot be written; the last checkpoint is whole.
    """
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=config.run.seed)
    num_samples, num_updates = len(samples), config.optimizer.num_updates(len(samples))
    model = build_model(config.model, generator=torch.Generator().manual_seed(config.run.seed))
    learner = _set_up(config, model, folder, ranks)
    order = learner.order(config.optimizer, num_samples=num_samples, num_updates=num_updates)
    accumulate, on_gpu = config.optimizer.accumulate, learner.device.type == "cuda"
    workers = ranks.num_cores_each() if config.data.num_workers is None else config.data.num_workers
    journal = _open_journal(config, learner, num_samples, len(images.names))
    with journal, open_batches(samples, order, collate=collate, num_workers=workers, pin_memory=on_gpu) as loaded:
        batches = to_device(loaded, learner.device)
        journal.print(_describe(config, ranks, model, len(images.names), num_samples, num_updates))
        for update in range(learner.first_update, num_updates):
            factor = lr_factor(update, num_updates=num_updates, warmup=config.optimizer.warmup)
            lr = learner.set_learning_rate(config.optimizer.lr * factor)
            values = learner.zeros()
            for step in range(accumulate):
                batch = next(batches)
                journal.skip(batch.skipped)
                with learner.no_sync(step < accumulate - 1):
                    losses = learner.step(*batch.tensors())
                    learner.backward(losses.total / accumulate)
                values[:-1] += torch.stack(losses).detach() / accumulate
            learner.apply(update, values, config.optimizer.clip_grad)
            journal.close_update(update + 1, values, lr)


def _set_up(config: PretrainConfig, model: MaskedAutoencoder, folder: RunFolder, ranks: Ranks) -> Learner:
    model.set_grad_checkpointing(config.run.checkpoint_activations)
    mean, std = config.data.pixel_mean, config.data.pixel_std
    return Learner(
        PretrainStep(model, config.loss, pixel_mean=mean, pixel_std=std),
        model=model,
        optimizer=build_optimizer(model, config.optimizer),
        loss_names=_LOSSES,
        folder=folder,
        run=config.run,
        ranks=ranks,
        kept={"model": config_to_json(config.model), "pixel_mean": mean, "pixel_std": std},
    )


def _open_journal(config: PretrainConfig, learner: Learner, num_samples: int, num_images: int) -> Journal:
    absent = {"pixel_loss": not config.model.has_pixel_decoder, "region_loss": not config.model.has_region_branch}
    return Journal(
        learner,
        num_updates=config.optimizer.num_updates(num_samples),
        batch_size=config.optimizer.batch_size,
        num_samples=num_samples,
        num_images=num_images,
        max_bad_share=config.data.max_bad_share,
        absent={name for name, is_absent in absent.items() if is_absent},
    )


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
