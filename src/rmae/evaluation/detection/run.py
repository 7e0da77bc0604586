"""Detection with one encoder: training, validation, report."""

from functools import partial

import numpy as np
import torch

from rmae.config.detection import DetectConfig
from rmae.data.loader import open_batches, to_device
from rmae.data.seeding import keyed_randomness
from rmae.data.training_samples import TrainingSamples
from rmae.evaluation.detection.data import DetectionData, open_data
from rmae.evaluation.detection.detector import build_detector
from rmae.evaluation.detection.mask_rcnn import LOSSES, MaskRcnn
from rmae.evaluation.detection.prediction import Predictor
from rmae.evaluation.detection.repeated_samples import RepeatedSamples
from rmae.evaluation.detection.report import write_report
from rmae.evaluation.detection.samples import Sample, build_samples, collate
from rmae.evaluation.detection.step import DetectionStep
from rmae.evaluation.detection.validation import DetectionScores, Validator, num_workers_of
from rmae.evaluation.encoder import Encoder
from rmae.evaluation.layer_groups import build_layerwise_adamw
from rmae.models.build import num_trainable_parameters
from rmae.training.journal import Journal
from rmae.training.learner import Learner
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder
from rmae.training.schedule import step_factor

__all__ = ["evaluate", "open_data"]


def evaluate(
    config: DetectConfig, encoder: Encoder, data: DetectionData, folder: RunFolder, ranks: Ranks
) -> dict[str, float]:
    """Train Mask R-CNN on an encoder, score it on the pictures for validation, and write predictions and a report.

    Args:
        config: The task.
        encoder: What is put to the test; its layers become part of the detector.
        data: Pictures and objects.
        folder: Where everything goes; exists. Where it has a checkpoint, training goes on from the newest. What was
            found goes to `predictions.json`, in COCO's form of results.
        ranks: The processes that train together; each calls this.

    Returns:
        Average precision of boxes and masks, `box_ap` first, in [0, 1]; the same on all processes. NaN where there are
        no objects of a size or frequency.

    Raises:
        ValueError: The pictures do not fill a batch, too many cannot be read, one for validation cannot be read, or
            their size does not fit the encoder.
        NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
        TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
    """
    generator = np.random.default_rng(config.run.seed)
    model = build_detector(encoder.vit, config, num_classes=len(data.categories), generator=generator)
    step = DetectionStep(model, pixel_mean=encoder.pixel_mean, pixel_std=encoder.pixel_std)
    learner = _set_up(config, step, folder, ranks)
    predictor = Predictor(step, config, pixel_mean=encoder.pixel_mean, fabric=ranks.fabric)
    validator = Validator(predictor, data, ranks, num_workers=num_workers_of(config, ranks))
    samples = build_samples(config, data, pixel_mean=encoder.pixel_mean, seed=config.run.seed)
    num_updates = config.optimizer.num_updates(len(data.train_rows))
    _train(config, data, samples, model, learner, validator)
    scores = validator.validate(folder)
    report = partial(write_report, config, encoder.name, data, scores, predictor, folder, num_updates=num_updates)
    ranks.first_does(report)
    return scores.by_name()


def _set_up(config: DetectConfig, step: DetectionStep, folder: RunFolder, ranks: Ranks) -> Learner:
    return Learner(
        step,
        model=step.model,
        optimizer=build_layerwise_adamw(
            step.model, config.optimizer, depth=len(step.model.encoder.blocks), layer_decay=config.encoder.layer_decay
        ),
        loss_names=LOSSES,
        folder=folder,
        run=config.run,
        ranks=ranks,
        kept={},
    )


def _train(
    config: DetectConfig,
    data: DetectionData,
    samples: TrainingSamples[Sample] | RepeatedSamples[Sample],
    model: MaskRcnn,
    learner: Learner,
    validator: Validator,
) -> None:
    optimizer, ranks = config.optimizer, learner.ranks
    num_updates, accumulate = optimizer.num_updates(len(data.train_rows)), optimizer.accumulate
    order = learner.order(optimizer, num_samples=len(samples), num_updates=num_updates)
    journal = Journal(
        learner,
        num_updates=num_updates,
        batch_size=optimizer.batch_size,
        num_samples=len(samples),
        num_images=len(data.train_rows),
        max_bad_share=config.reading.max_bad_share,
    )
    workers, on_gpu = num_workers_of(config, ranks), learner.device.type == "cuda"
    with journal, open_batches(samples, order, collate=collate, num_workers=workers, pin_memory=on_gpu) as loaded:
        batches = to_device(loaded, learner.device)
        journal.print(_describe(config, data, model, ranks.world_size, num_updates))
        for update in range(learner.first_update, num_updates):
            factor = step_factor(update, num_updates=num_updates, warmup=optimizer.warmup, milestones=config.milestones)
            lr = learner.set_learning_rate(optimizer.lr * factor)
            values = learner.zeros()
            with keyed_randomness(config.run.seed, update, ranks.rank, device=learner.device):
                for step in range(accumulate):
                    batch = next(batches)
                    journal.skip(batch.skipped)
                    with learner.no_sync(step < accumulate - 1):
                        losses = learner.step(*batch.tensors())
                        learner.backward(losses.total / accumulate)
                    values[:-1] += torch.stack(losses).detach() / accumulate
            learner.apply(update, values, optimizer.clip_grad)
            done = update + 1
            if done < num_updates and config.evaluate_every is not None and done % config.evaluate_every == 0:
                with journal.pause():
                    scores = validator.validate()
                journal.add_scores(done, _curves(scores))
            journal.close_update(done, values, lr)


def _curves(scores: DetectionScores) -> dict[str, float]:
    """The scores that are followed while training."""
    return {"box_ap": scores.box.ap, "box_ap50": scores.box.ap50, "mask_ap": scores.mask.ap}


def _describe(config: DetectConfig, data: DetectionData, model: MaskRcnn, world_size: int, num_updates: int) -> str:
    in_encoder = num_trainable_parameters(model.encoder)
    left_out = "".join(f"; {part.describe_faults()}" for part in (data.train, data.val) if part.describe_faults())
    return (
        f"detect: {in_encoder:,} parameters of the encoder and {num_trainable_parameters(model) - in_encoder:,} of the "
        f"rest; {len(data.train_rows):,} pictures, {len(data.categories):,} categories; {num_updates:,} updates with a "
        f"batch of {config.optimizer.batch_size:,} on {world_size} process(es); learning rate "
        f"{config.optimizer.lr:.2e}{left_out}"
    )
