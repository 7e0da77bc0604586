"""Fine-tuning: the encoder and a linear layer are trained together on labelled pictures."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmae.config.classification import FinetuneConfig, check_even
from rmae.data.loader import open_batches, to_device
from rmae.data.seeding import keyed_randomness
from rmae.data.training_samples import TrainingSamples
from rmae.evaluation.classification.data import ClassificationData
from rmae.evaluation.classification.heads import Classifier
from rmae.evaluation.classification.judge import Judge
from rmae.evaluation.classification.mixing import Mixing
from rmae.evaluation.classification.report import write_classifier_report
from rmae.evaluation.classification.samples import Change, LabelledPicture, RandAugment, RandomErasing, collate
from rmae.evaluation.classification.training import (
    describe,
    described_head,
    open_data,
    open_journal,
    open_samples,
)
from rmae.evaluation.encoder import Encoder, fit_encoder
from rmae.evaluation.layer_groups import build_layerwise_adamw
from rmae.training.journal import Journal
from rmae.training.learner import Learner, TotalLoss
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder
from rmae.training.schedule import lr_factor

__all__ = ["evaluate", "open_data"]


def evaluate(
    config: FinetuneConfig, encoder: Encoder, data: ClassificationData, folder: RunFolder, ranks: Ranks
) -> dict[str, float]:
    """Fine-tune an encoder, judge it by the pictures for validation, and write a report.

    Args:
        config: The run.
        encoder: Where training begins; changed in place.
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
    check_even(config, ranks.world_size)
    vit = fit_encoder(encoder.vit, image_hw=config.encoder.image_hw, drop_path=config.encoder.drop_path)
    vit.set_grad_checkpointing(config.run.checkpoint_activations)
    generator = torch.Generator().manual_seed(config.run.seed)
    model = Classifier(vit, pooling=config.pooling, num_classes=len(data.classes), generator=generator)
    learner = _set_up(config, encoder, model, data, folder, ranks)
    judge = Judge(model, trained=model, encoder=encoder, data=data, config=config, ranks=ranks)
    journal = open_journal(config, data, learner)
    journal.print(describe(config, data, model, f"fine-tuning {encoder.name}"))
    _train(config, _open_samples(config, encoder, data), learner, journal, judge)
    verdicts = judge(doing="classifying")
    ranks.first_does(partial(write_classifier_report, config, encoder.name, data, verdicts, folder))
    return verdicts.scores()


class FinetuneStep(nn.Module):
    """From normalised pictures and targets to the loss.

    Args:
        model: From pictures to logits.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, targets: Tensor) -> TotalLoss:
        """Cross-entropy of pictures (B, 3, h, w) float with targets (B, C) that add up to 1 in each row."""
        logits = self.model(images)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        return TotalLoss(functional.cross_entropy(logits, targets.to(logits.dtype)))


def _set_up(
    config: FinetuneConfig,
    encoder: Encoder,
    model: Classifier,
    data: ClassificationData,
    folder: RunFolder,
    ranks: Ranks,
) -> Learner:
    return Learner(
        FinetuneStep(model),
        model=model,
        optimizer=build_layerwise_adamw(
            model, config.optimizer, depth=len(model.encoder.blocks), layer_decay=config.encoder.layer_decay
        ),
        loss_names=("loss",),
        folder=folder,
        run=config.run,
        ranks=ranks,
        kept=described_head(config, encoder, data),
    )


def _open_samples(
    config: FinetuneConfig, encoder: Encoder, data: ClassificationData
) -> TrainingSamples[LabelledPicture]:
    image_hw, mean = config.encoder.image_hw, encoder.pixel_mean
    changes: list[Change] = []
    if config.augment_magnitude:
        magnitude, std = config.augment_magnitude, config.augment_std
        changes.append(RandAugment(magnitude=magnitude, std=std, image_hw=image_hw, mean=mean))
    if config.erase:
        changes.append(RandomErasing(config.erase, mean=mean, std=encoder.pixel_std))
    return open_samples(config, data, changes)


def _train(
    config: FinetuneConfig, samples: TrainingSamples[LabelledPicture], learner: Learner, journal: Journal, judge: Judge
) -> None:
    """Train to the last update, unless a signal comes before."""
    num_updates, accumulate = config.optimizer.num_updates(len(samples)), config.optimizer.accumulate
    order = learner.order(config.optimizer, num_samples=len(samples), num_updates=num_updates)
    mix = Mixing(
        mixup=config.mixup,
        cutmix=config.cutmix,
        label_smoothing=config.label_smoothing,
        num_classes=judge.num_classes,
    )
    on_gpu = learner.device.type == "cuda"
    opened = open_batches(samples, order, collate=collate, num_workers=judge.num_workers, pin_memory=on_gpu)
    with journal, opened as loaded:
        batches = to_device(loaded, learner.device)
        for update in range(learner.first_update, num_updates):
            factor = lr_factor(update, num_updates=num_updates, warmup=config.optimizer.warmup)
            lr = learner.set_learning_rate(config.optimizer.lr * factor)
            values = learner.zeros()
            # What mixes pictures and leaves out blocks draws the same after a resume.
            with keyed_randomness(config.run.seed, update, learner.ranks.rank, device=learner.device):
                for step in range(accumulate):
                    batch = next(batches)
                    journal.skip(batch.skipped)
                    images, targets = mix(judge.normalise(batch.pixels), batch.labels)
                    with learner.no_sync(step < accumulate - 1):
                        losses = learner.step(images, targets)
                        learner.backward(losses.total / accumulate)
                    values[:-1] += torch.stack(losses).detach() / accumulate
            learner.apply(update, values, config.optimizer.clip_grad)
            done = update + 1
            if config.evaluate_every and done % config.evaluate_every == 0 and done < num_updates:
                with journal.pause():
                    journal.add_scores(done, judge().scores())
            journal.close_update(done, values, lr)
