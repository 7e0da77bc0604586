"""The page about one run."""

import json
import math

import numpy as np

from rmae.config.segmentation import SegmentConfig
from rmae.config_json import config_to_json
from rmae.evaluation.segmentation.data import SegmentationData
from rmae.evaluation.segmentation.prediction import Predictor, read_test_picture
from rmae.evaluation.segmentation.scores import SegmentScores
from rmae.files import write_atomically
from rmae.models.weights.records import read_metrics
from rmae.training.run_folder import RunFolder
from rmae.visual.evaluation_report import EvaluationReport, Example, Table, render_evaluation_report
from rmae.visual.figure_words import percent
from rmae.visual.label_map_pictures import class_legend, label_map_figures

_CURVES = (("loss", "Loss"), ("miou", "Mean IoU"), ("lr", "Learning rate"))


def write_report(
    config: SegmentConfig,
    encoder_name: str,
    data: SegmentationData,
    scores: SegmentScores,
    predict: Predictor,
    folder: RunFolder,
) -> None:
    """Write the report of a run.

    Args:
        config: The task.
        encoder_name: What the user called the encoder.
        data: Pictures with labels.
        scores: Of all pictures for validation.
        predict: The network, for the examples.
        folder: The run's.
    """
    examples, legend = _examples(config, data, predict)
    report = EvaluationReport(
        title=f"Semantic segmentation \N{MIDDLE DOT} {encoder_name}",
        lead="UperNet was put on the encoder, both were trained to say what each pixel shows, and the predictions were "
        "compared with the labels of other pictures.",
        summary={
            "Encoder": encoder_name,
            "Data": str(data.training.images.root),
            "Training pictures": f"{len(data.training.names):,}",
            "Validation pictures": f"{len(data.validation.names):,}",
            "Classes": f"{len(data.classes):,}",
            "Crop": "{} \N{MULTIPLICATION SIGN} {} pixels".format(*config.encoder.image_hw),
            "Updates": f"{config.optimizer.num_updates(len(data.training.names)):,}",
        },
        scores=_tiles(scores),
        metrics=_metrics(config, data, scores, folder),
        curves=_CURVES,
        tables=(_table(data.classes, scores),),
        legend=legend,
        examples=examples,
        example_hint="The picture, its labels, and what the network made of it. Pixels in dark grey, if there are any, "
        "have no label and are not counted.",
        config_json=json.dumps(config_to_json(config), indent=2),
        num_skipped=len(folder.skipped_images.read_text(encoding="utf-8").splitlines()),
    )
    write_atomically(folder.report, render_evaluation_report(report))


def _examples(
    config: SegmentConfig, data: SegmentationData, predict: Predictor
) -> tuple[tuple[Example, ...], tuple[tuple[str, str], ...]]:
    """Pictures with predictions, spread evenly over those for validation, and what their colours mean."""
    part = data.validation
    num_examples = min(config.num_examples, len(part.names))
    examples, present = [], [np.empty(0, np.int64)]
    for index in np.linspace(0, len(part.names) - 1, num_examples).round().astype(int).tolist():
        picture = read_test_picture(part, config.short_side, index)
        predicted = predict(picture).cpu().numpy()
        image, truth = part.read(index)
        examples.append(Example(part.names[index], label_map_figures(image, truth, predicted)))
        present += [truth.ravel(), predicted.ravel()]
    return tuple(examples), class_legend(data.classes, np.concatenate(present))


def _metrics(
    config: SegmentConfig, data: SegmentationData, scores: SegmentScores, folder: RunFolder
) -> list[dict[str, float | None]]:
    """What was logged while training, with the last scores where there are earlier ones to compare them with."""
    lines = read_metrics(folder.metrics)
    if any("miou" in line for line in lines):
        last = float(config.optimizer.num_updates(len(data.training.names)))
        lines.append({"update": last, "miou": None if math.isnan(scores.miou) else scores.miou})
    return lines


def _tiles(scores: SegmentScores) -> tuple[tuple[str, str, str], ...]:
    absent = int(np.isnan(scores.iou).sum())
    verb = "is" if absent == 1 else "are"
    left_out = f"; {absent:,} of {len(scores.iou):,} classes {verb} left out" if absent else ""
    return (
        ("Mean IoU", percent(scores.miou), f"overlap of truth and prediction, mean over classes{left_out}"),
        ("Pixel accuracy", percent(scores.pixel_accuracy), "of the labelled pixels"),
        ("Mean class accuracy", percent(scores.mean_accuracy), "mean over classes"),
    )


def _table(classes: tuple[str, ...], scores: SegmentScores) -> Table:
    hint = (
        "IoU is the number of pixels in truth and prediction over that in either; accuracy the share of a class's "
        "pixels that were found."
    )
    absent = [name for name, iou in zip(classes, scores.iou, strict=True) if math.isnan(iou)]
    if absent:
        hint += f" Neither in the labels nor predicted, and so without a score: {', '.join(absent)}."
    total = max(1, int(scores.num_pixels.sum()))
    rows = tuple(
        (name, percent(iou), percent(accuracy), percent(num_pixels / total))
        for name, iou, accuracy, num_pixels in zip(
            classes, scores.iou.tolist(), scores.accuracy.tolist(), scores.num_pixels.tolist(), strict=True
        )
    )
    return Table("Scores by class", hint, ("Class", "IoU", "Accuracy", "Share of pixels"), rows)
