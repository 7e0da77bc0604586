"""What training a probe and fine-tuning have in common besides their loops."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from rmae.config.classification import FinetuneConfig, LinearConfig
from rmae.data.training_samples import TrainingSamples
from rmae.evaluation.classification.data import ClassificationData, list_classes
from rmae.evaluation.classification.samples import Change, LabelledPicture, RandomCrops
from rmae.evaluation.encoder import Encoder
from rmae.models.build import num_trainable_parameters
from rmae.training.journal import Journal
from rmae.training.learner import Learner

TrainedConfig = LinearConfig | FinetuneConfig


def open_data(config: TrainedConfig, root: Path) -> ClassificationData:
    """Find the pictures of a folder in ImageNet's layout.

    Raises:
        ValueError: The folder is not in that layout, or its pictures do not fill a batch.
    """
    data = list_classes(root)
    number, batch_size = len(data.train.labels), config.optimizer.batch_size
    if number < batch_size:
        raise ValueError(
            f"{data.root} has {number:,} pictures to train on, fewer than one batch of {batch_size:,}; lower "
            "--batch-size"
        )
    return data


def open_samples(
    config: TrainedConfig, data: ClassificationData, changes: Sequence[Change] = ()
) -> TrainingSamples[LabelledPicture]:
    """Pictures to train on, each cropped at random and then changed."""
    make = RandomCrops(
        data.train,
        image_hw=config.encoder.image_hw,
        max_pixels=config.reading.max_pixels,
        crop_scale=config.crop_scale,
        crop_ratio=config.crop_ratio,
        flip=config.flip,
        changes=changes,
    )
    return TrainingSamples(data.train.images.names, make, seed=config.run.seed, where=str(data.root))


def open_journal(config: TrainedConfig, data: ClassificationData, learner: Learner) -> Journal:
    """The journal of a run, to be entered."""
    num_samples = len(data.train.labels)
    return Journal(
        learner,
        num_updates=config.optimizer.num_updates(num_samples),
        batch_size=config.optimizer.batch_size,
        num_samples=num_samples,
        num_images=num_samples,
        max_bad_share=config.reading.max_bad_share,
    )


def describe(config: TrainedConfig, data: ClassificationData, model: nn.Module, what: str) -> str:
    """What is about to be trained, in a line."""
    optimizer, num_samples = config.optimizer, len(data.train.labels)
    return (
        f"{what}: {num_trainable_parameters(model):,} trainable parameters; {num_samples:,} pictures of "
        f"{len(data.classes):,} classes; {optimizer.num_updates(num_samples):,} updates with a batch of "
        f"{optimizer.batch_size:,}; learning rate {optimizer.lr:.2e} = {optimizer.base_lr:.2e} x "
        f"{optimizer.batch_size:,} / 256"
    )


def described_head(config: TrainedConfig, encoder: Encoder, data: ClassificationData) -> dict[str, Any]:
    """What a checkpoint says besides its weights: all that is needed to classify a picture with them."""
    return {
        "encoder": encoder.name,
        "classes": list(data.classes),
        "pooling": config.pooling,
        "image_hw": list(config.encoder.image_hw),
        "pixel_mean": list(encoder.pixel_mean),
        "pixel_std": list(encoder.pixel_std),
    }
