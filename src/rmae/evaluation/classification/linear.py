"""Linear probing: one linear layer is trained on the features of an encoder that does not change."""

from functools import partial
from typing import assert_never

import torch
from timm.models.vision_transformer import VisionTransformer
from timm.optim.lars import Lars
from torch import Tensor, nn
from torch.nn import functional

from rmae.config.classification import LinearConfig
from rmae.data.loader import open_batches, to_device
from rmae.data.training_samples import TrainingSamples
from rmae.evaluation.classification.data import ClassificationData
from rmae.evaluation.classification.features import Pooling, encode_pooled, freeze
from rmae.evaluation.classification.heads import build_probe
from rmae.evaluation.classification.judge import Judge
from rmae.evaluation.classification.report import write_classifier_report
from rmae.evaluation.classification.samples import LabelledPicture, collate
from rmae.evaluation.classification.training import (
    describe,
    described_head,
    open_data,
    open_journal,
    open_samples,
)
from rmae.evaluation.encoder import Encoder
from rmae.training.journal import Journal
from rmae.training.learner import Learner, TotalLoss
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder
from rmae.training.schedule import lr_factor

__all__ = ["evaluate", "open_data"]


def evaluate(
    config: LinearConfig, encoder: Encoder, data: ClassificationData, folder: RunFolder, ranks: Ranks
) -> dict[str, float]:
    """Train a linear layer on a frozen encoder, judge it by the pictures for validation, and write a report.

    A checkpoint holds the linear layer and the statistics that normalise the features before it; the encoder is as it
    was.

    Args:
        config: The run.
        encoder: Whose features are classified; fitted to the pictures in place, its weights stay.
        data: Of `open_data`.
        folder: Where everything goes; exists. Where it has a checkpoint, training goes on from the newest.
        ranks: The processes that train together; each calls this.

    Returns:
        `top1`, and of more than five classes `top5`, in [0, 1], the same on all processes.

    Raises:
        ValueError: The encoder does not fit, too many pictures cannot be read, or one for validation cannot.
        NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
        TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
        FailedElsewhere: Another process failed.
    """
    vit = freeze(encoder, image_hw=config.encoder.image_hw, pooling=config.pooling)
    generator = torch.Generator().manual_seed(config.run.seed)
    probe = build_probe(vit.embed_dim, len(data.classes), ranks=ranks, generator=generator)
    step = LinearStep(vit, probe, config.pooling)
    learner = Learner(
        step,
        model=probe,
        optimizer=_build_optimizer(probe, config),
        loss_names=("loss",),
        folder=folder,
        run=config.run,
        ranks=ranks,
        kept=described_head(config, encoder, data),
    )
    judge = Judge(step.logits, trained=probe, encoder=encoder, data=data, config=config, ranks=ranks)
    journal = open_journal(config, data, learner)
    journal.print(describe(config, data, probe, f"linear probe of {encoder.name}"))
    _train(config, open_samples(config, data), learner, journal, judge)
    verdicts = judge(doing="classifying")
    ranks.first_does(partial(write_classifier_report, config, encoder.name, data, verdicts, folder))
    return verdicts.scores()


class LinearStep(nn.Module):
    """From normalised pictures and their classes to the loss.

    Args:
        encoder: Frozen.
        probe: From its features to logits.
        pooling: What stands for a picture.
    """

    def __init__(self, encoder: VisionTransformer, probe: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.encoder, self.probe = encoder, probe
        self._pooling: Pooling = pooling

    def forward(self, images: Tensor, labels: Tensor) -> TotalLoss:
        """Cross-entropy of pictures (B, 3, h, w) float with classes (B,) int64."""
        logits = self.logits(images)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        return TotalLoss(functional.cross_entropy(logits, labels))

    def logits(self, images: Tensor) -> Tensor:
        """Classify pictures (B, 3, h, w) float, normalised; returns shape (B, C)."""
        with torch.no_grad():
            features = encode_pooled(self.encoder, images, self._pooling)
        return self.probe(features)


def _build_optimizer(probe: nn.Module, config: LinearConfig) -> torch.optim.Optimizer:
    lr, weight_decay = config.optimizer.lr, config.optimizer.weight_decay
    matrices = [parameter for parameter in probe.parameters() if parameter.ndim > 1]
    biases = [parameter for parameter in probe.parameters() if parameter.ndim <= 1]
    match config.optimizer_name:
        case "lars":
            # The trust ratio is for matrices alone, with weight decay or without.
            groups = [
                {"params": matrices, "weight_decay": weight_decay, "always_adapt": True},
                {"params": biases, "weight_decay": 0.0, "always_adapt": False},
            ]
            return Lars(groups, lr=lr, momentum=config.momentum)  # pyright: ignore[reportArgumentType]  # it says int
        case "adamw":
            groups = [
                {"params": matrices, "weight_decay": weight_decay},
                {"params": biases, "weight_decay": 0.0},
            ]
            return torch.optim.AdamW(groups, lr=lr, betas=config.optimizer.betas, fused=True)
        case _:
            assert_never(config.optimizer_name)


def _train(
    config: LinearConfig, samples: TrainingSamples[LabelledPicture], learner: Learner, journal: Journal, judge: Judge
) -> None:
    """Train to the last update, unless a signal comes before."""
    num_updates, accumulate = config.optimizer.num_updates(len(samples)), config.optimizer.accumulate
    order = learner.order(config.optimizer, num_samples=len(samples), num_updates=num_updates)
    on_gpu = learner.device.type == "cuda"
    opened = open_batches(samples, order, collate=collate, num_workers=judge.num_workers, pin_memory=on_gpu)
    with journal, opened as loaded:
        batches = to_device(loaded, learner.device)
        for update in range(learner.first_update, num_updates):
            factor = lr_factor(update, num_updates=num_updates, warmup=config.optimizer.warmup)
            lr = learner.set_learning_rate(config.optimizer.lr * factor)
            values = learner.zeros()
            for step in range(accumulate):
                batch = next(batches)
                journal.skip(batch.skipped)
                with learner.no_sync(step < accumulate - 1):
                    losses = learner.step(judge.normalise(batch.pixels), batch.labels)
                    learner.backward(losses.total / accumulate)
                values[:-1] += torch.stack(losses).detach() / accumulate
            # Lars takes no flag: where a value is not finite, the learner leaves its step out, and waits to know.
            learner.apply(update, values, config.optimizer.clip_grad)
            done = update + 1
            if config.evaluate_every and done % config.evaluate_every == 0 and done < num_updates:
                with journal.pause():
                    journal.add_scores(done, judge().scores())
            journal.close_update(done, values, lr)
