"""Semantic segmentation of one encoder: training, validation, report."""

from functools import partial

import torch

from rmae.config.segmentation import SegmentConfig
from rmae.data.loader import open_batches, to_device
from rmae.data.seeding import keyed_randomness
from rmae.data.training_samples import TrainingSamples
from rmae.evaluation.encoder import Encoder, fit_encoder
from rmae.evaluation.layer_groups import build_layerwise_adamw
from rmae.evaluation.segmentation.data import SegmentationData, open_data
from rmae.evaluation.segmentation.network import SegmentationNetwork, build_network
from rmae.evaluation.segmentation.prediction import Predictor
from rmae.evaluation.segmentation.report import write_report
from rmae.evaluation.segmentation.samples import SampleMaker, SegmentSample, collate
from rmae.evaluation.segmentation.scores import SegmentScores
from rmae.evaluation.segmentation.step import SegmentStep
from rmae.evaluation.segmentation.validation import validate
from rmae.models.build import num_trainable_parameters
from rmae.training.journal import Journal
from rmae.training.learner import Learner
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder
from rmae.training.schedule import poly_factor

__all__ = ["evaluate", "open_data"]

_LOSSES = ("loss", "head_loss", "auxiliary_loss")


def evaluate(
    config: SegmentConfig, encoder: Encoder, data: SegmentationData, folder: RunFolder, ranks: Ranks
) -> dict[str, float]:
    """Train UperNet on an encoder, score it on the pictures for validation, and write a report.

    Args:
        config: The task.
        encoder: What is put to the test; it is changed.
        data: Pictures with labels.
        folder: Where everything goes; exists. Where it has a checkpoint, training goes on from the newest.
        ranks: The processes that train together; each calls this.

    Returns:
        `miou`, `pixel_accuracy` and `mean_accuracy` in [0, 1], the same on all processes; NaN where no pixel for
        validation has a label.

    Raises:
        ValueError: The pictures do not fill a batch, too many cannot be read, one for validation cannot be read, or
            their size does not fit the encoder.
        NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
        TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
    """
    scores, predict = train(config, encoder, data, folder, ranks)
    ranks.first_does(partial(write_report, config, encoder.name, data, scores, predict, folder))
    return scores.headline()


def train(
    config: SegmentConfig, encoder: Encoder, data: SegmentationData, folder: RunFolder, ranks: Ranks
) -> tuple[SegmentScores, Predictor]:
    """Train UperNet on an encoder and score it; arguments and errors are those of `evaluate`.

    Returns:
        The scores, and the trained network.
    """
    samples = _open_samples(config, encoder, data)
    model = _build_model(config, encoder, num_classes=len(data.classes))
    mean, std = encoder.pixel_mean, encoder.pixel_std
    step = SegmentStep(model, auxiliary_weight=config.auxiliary_weight, pixel_mean=mean, pixel_std=std)
    learner = _set_up(config, step, folder, ranks)
    num_updates, accumulate = config.optimizer.num_updates(len(samples)), config.optimizer.accumulate
    order = learner.order(config.optimizer, num_samples=len(samples), num_updates=num_updates)
    num_workers = ranks.num_cores_each() if config.reading.num_workers is None else config.reading.num_workers
    on_gpu = learner.device.type == "cuda"
    predict = Predictor(step, config, pixel_mean=mean, fabric=ranks.fabric)
    score_model = partial(validate, predict, data, ranks, short_side=config.short_side, num_workers=num_workers)
    journal = _open_journal(config, learner, len(samples))
    with journal, open_batches(samples, order, collate=collate, num_workers=num_workers, pin_memory=on_gpu) as loaded:
        batches = to_device(loaded, learner.device)
        journal.print(_describe(config, model, ranks.world_size, len(samples)))
        for update in range(learner.first_update, num_updates):
            factor = poly_factor(update, num_updates=num_updates, warmup=config.optimizer.warmup)
            lr = learner.set_learning_rate(config.optimizer.lr * factor)
            values = learner.zeros()
            with keyed_randomness(config.run.seed, update, ranks.rank, device=learner.device):
                for part in range(accumulate):
                    batch = next(batches)
                    journal.skip(batch.skipped)
                    with learner.no_sync(part < accumulate - 1):
                        losses = learner.step(*batch.tensors())
                        learner.backward(losses.total / accumulate)
                    values[:-1] += torch.stack(losses).detach() / accumulate
            learner.apply(update, values, config.optimizer.clip_grad)
            done = update + 1
            if done < num_updates and config.evaluate_every is not None and done % config.evaluate_every == 0:
                with journal.pause():
                    scores = score_model()
                journal.add_scores(done, scores.headline())
            journal.close_update(done, values, lr)
    return score_model(), predict


def _open_samples(config: SegmentConfig, encoder: Encoder, data: SegmentationData) -> TrainingSamples[SegmentSample]:
    return TrainingSamples(
        data.training.names,
        SampleMaker(data.training, config, pixel_mean=encoder.pixel_mean),
        seed=config.run.seed,
        where=str(data.training.images.root),
    )


def _build_model(config: SegmentConfig, encoder: Encoder, *, num_classes: int) -> SegmentationNetwork:
    vit = fit_encoder(encoder.vit, image_hw=config.encoder.image_hw, drop_path=config.encoder.drop_path)
    vit.set_grad_checkpointing(config.run.checkpoint_activations)
    return build_network(
        vit,
        num_classes=num_classes,
        head_channels=config.head_channels,
        auxiliary_channels=config.auxiliary_channels,
        dropout=config.head_dropout,
        generator=torch.Generator().manual_seed(config.run.seed),
    )


def _set_up(config: SegmentConfig, step: SegmentStep, folder: RunFolder, ranks: Ranks) -> Learner:
    return Learner(
        step,
        model=step.model,
        optimizer=build_layerwise_adamw(
            step.model, config.optimizer, depth=len(step.model.encoder.blocks), layer_decay=config.encoder.layer_decay
        ),
        loss_names=_LOSSES,
        folder=folder,
        run=config.run,
        ranks=ranks,
        kept={},
    )


def _open_journal(config: SegmentConfig, learner: Learner, num_samples: int) -> Journal:
    return Journal(
        learner,
        num_updates=config.optimizer.num_updates(num_samples),
        batch_size=config.optimizer.batch_size,
        num_samples=num_samples,
        num_images=num_samples,
        max_bad_share=config.reading.max_bad_share,
    )


def _describe(config: SegmentConfig, model: SegmentationNetwork, world_size: int, num_samples: int) -> str:
    encoder, whole = num_trainable_parameters(model.encoder), num_trainable_parameters(model)
    optimizer = config.optimizer
    return (
        f"segment: {encoder:,} trainable parameters of the encoder and {whole - encoder:,} of the head; "
        f"{num_samples:,} pictures; {optimizer.num_updates(num_samples):,} updates with a batch of "
        f"{optimizer.batch_size:,} on {world_size} process(es); learning rate {optimizer.lr:.2e}"
    )
