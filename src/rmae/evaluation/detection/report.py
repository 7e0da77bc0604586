"""The page about one run."""

import json
from collections.abc import Sequence

import numpy as np

from rmae.config.detection import DetectConfig
from rmae.config_json import config_to_json
from rmae.evaluation.detection.data import DetectionData
from rmae.evaluation.detection.precision import AveragePrecision
from rmae.evaluation.detection.prediction import Found, Predictor
from rmae.evaluation.detection.validation import DetectionScores
from rmae.evaluation.objects.annotations import Category
from rmae.evaluation.objects.pictures import Part, read_picture
from rmae.files import write_atomically
from rmae.models.weights.records import read_metrics
from rmae.training.run_folder import RunFolder
from rmae.visual.detection_pictures import DrawnObject, detection_figures
from rmae.visual.evaluation_report import EvaluationReport, Example, Table, render_evaluation_report
from rmae.visual.figure_words import percent

_CURVES = (
    ("loss", "Loss"),
    ("classifier_loss", "Loss of the categories"),
    ("box_loss", "Loss of the boxes"),
    ("mask_loss", "Loss of the masks"),
    ("box_ap", "AP of boxes"),
    ("lr", "Learning rate"),
)
_SHOWN_FROM = 0.5  # score of a find from which on it is drawn


def write_report(
    config: DetectConfig,
    encoder_name: str,
    data: DetectionData,
    scores: DetectionScores,
    predictor: Predictor,
    folder: RunFolder,
    *,
    num_updates: int,
) -> None:
    """Write the report of a run.

    Args:
        config: The task.
        encoder_name: What the user called the encoder.
        data: Pictures and objects.
        scores: Of all pictures for validation.
        predictor: With the detector, for the examples.
        folder: The run's.
        num_updates: Its length.
    """
    report = EvaluationReport(
        title=f"Detection \N{MIDDLE DOT} {encoder_name}",
        lead="ViTDet's Mask R-CNN was put on the encoder, both were trained to find objects with their boxes and "
        "masks, and what they find in other pictures was compared with what is there.",
        summary=_summary(config, encoder_name, data, num_updates),
        scores=_tiles(scores),
        metrics=_metrics(scores, folder, num_updates),
        curves=_CURVES,
        tables=(_by_size(scores), _by_category(data, scores)),
        examples=_examples(config, data, predictor),
        example_hint=f"What is there beside what was found, of finds those with a score of at least {_SHOWN_FROM:g}. "
        "Each category has its colour; tags of finds carry the score.",
        config_json=json.dumps(config_to_json(config), indent=2),
        num_skipped=len(folder.skipped_images.read_text(encoding="utf-8").splitlines()),
    )
    write_atomically(folder.report, render_evaluation_report(report))


def _summary(config: DetectConfig, encoder_name: str, data: DetectionData, num_updates: int) -> dict[str, str]:
    height, width = config.encoder.image_hw
    summary = {
        "Encoder": encoder_name,
        "Data": str(data.root),
        "Training pictures": f"{len(data.train_rows):,}",
        "Validation pictures": f"{len(data.val.images.names):,}",
        "Categories": f"{len(data.categories):,}",
        "Frame": f"{height} \N{MULTIPLICATION SIGN} {width} pixels",
        "Updates": f"{num_updates:,}",
    }
    faults = [part.describe_faults() for part in (data.train, data.val) if part.describe_faults()]
    return summary | ({"Left out": "; ".join(faults)} if faults else {})


def _tiles(scores: DetectionScores) -> tuple[tuple[str, str, str], ...]:
    return (
        ("Box AP", percent(scores.box.ap), "average precision, mean over categories and overlaps of 0.5 to 0.95"),
        ("Mask AP", percent(scores.mask.ap), "the same of masks"),
        ("Box AP50", percent(scores.box.ap50), "where an overlap of 0.5 is enough"),
        ("Mask AP50", percent(scores.mask.ap50), "the same of masks"),
    )


def _by_size(scores: DetectionScores) -> Table:
    rare = (*scores.box.by_size, *scores.box.by_frequency)
    rows = tuple((name, *map(percent, _every(ap))) for name, ap in (("Boxes", scores.box), ("Masks", scores.mask)))
    hint = (
        "AP50 and AP75: where an overlap of 0.5, or of 0.75, is enough. Small objects cover less than 32 "
        "\N{MULTIPLICATION SIGN} 32 pixels of the picture, medium ones less than 96 \N{MULTIPLICATION SIGN} 96. A "
        "dash: there are none."
    )
    if scores.box.by_frequency:
        hint += " Rare categories are in at most 10 training pictures, common ones in at most 100."
    return Table("Average precision", hint, ("", "AP", "AP50", "AP75", *(name.capitalize() for name in rare)), rows)


def _every(ap: AveragePrecision) -> tuple[float, ...]:
    return (ap.ap, ap.ap50, ap.ap75, *ap.by_size.values(), *ap.by_frequency.values())


def _by_category(data: DetectionData, scores: DetectionScores) -> Table:
    counts = data.val.objects.counts_by_category(len(data.categories))
    order = np.argsort(-counts, kind="stable")
    columns = (
        scores.box.by_category,
        scores.box.ap50_by_category,
        scores.mask.by_category,
        scores.mask.ap50_by_category,
    )
    rows = tuple(
        (data.categories[place].name, *(percent(column[place]) for column in columns), f"{counts[place]:,}")
        for place in order.tolist()
    )
    absent = int((counts == 0).sum())
    hint = "The categories with most objects for validation come first."
    if absent:
        hint += f" {absent:,} without any have no score, and are left out of all means."
    names = ("Category", "Box AP", "Box AP50", "Mask AP", "Mask AP50", "Objects")
    return Table("Average precision by category", hint, names, rows)


def _metrics(scores: DetectionScores, folder: RunFolder, num_updates: int) -> list[dict[str, float | None]]:
    """What was logged while training, with the last scores where there are earlier ones to compare them with."""
    lines = read_metrics(folder.metrics)
    if any("box_ap" in line for line in lines):
        last: dict[str, float | None] = {"update": float(num_updates)}
        lines.append(last | {"box_ap": scores.box.ap})
    return lines


def _examples(config: DetectConfig, data: DetectionData, predictor: Predictor) -> tuple[Example, ...]:
    """Pictures spread evenly over those for validation."""
    part = data.val
    number = min(config.num_examples, len(part.images.names))
    rows = np.linspace(0, len(part.images.names) - 1, number).round().astype(int).tolist()
    examples = []
    for row, found in predictor.predict(part, rows, num_workers=0):
        sure = [each for each in found if each.score >= _SHOWN_FROM]
        figures = detection_figures(
            read_picture(part, row, max_pixels=config.reading.max_pixels),
            _true_objects(part, row, data.categories),
            [_drawn(each, data.categories) for each in sure],
            num_classes=len(data.categories),
            caption=f"{len(sure)} of {len(found)} finds",
        )
        examples.append(Example(part.images.names[row], figures))
    return tuple(examples)


def _true_objects(part: Part, row: int, categories: Sequence[Category]) -> list[DrawnObject]:
    drawn = []
    for number, mask in part.objects.draw(row):
        label = int(part.objects.labels[number]) - 1
        height, width = mask.pixels.shape
        words = categories[label].name + (" (crowd)" if part.objects.is_crowd[number] else "")
        drawn.append(DrawnObject(label, words, (mask.left, mask.top, mask.left + width, mask.top + height), mask))
    return drawn


def _drawn(found: Found, categories: Sequence[Category]) -> DrawnObject:
    left, top, right, bottom = found.box_xyxy.tolist()
    label = found.label - 1
    return DrawnObject(label, f"{categories[label].name} {found.score:.2f}", (left, top, right, bottom), found.mask)
