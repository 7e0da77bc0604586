"""The pages about classification: scores, what is taken for what, and pictures with their verdicts."""

import json
from collections.abc import Iterator, Mapping
from typing import assert_never

import numpy as np

from rmae.config.classification import FinetuneConfig, KnnConfig, LinearConfig
from rmae.config_json import config_to_json
from rmae.data.image_set import ImageSet
from rmae.evaluation.classification.data import ClassificationData
from rmae.evaluation.classification.neighbours import Neighbours
from rmae.evaluation.classification.pictures import PictureReading, read_batch
from rmae.evaluation.classification.verdicts import NUM_RANKED, Verdicts
from rmae.files import write_atomically
from rmae.models.weights.records import read_metrics
from rmae.training.run_folder import RunFolder
from rmae.visual.evaluation_report import EvaluationReport, Example, ExampleFigure, Table, render_evaluation_report
from rmae.visual.figure_words import DASH, percent
from rmae.visual.pictures import enlarge

_NUM_SHOWN = 12  # pictures of a kind
_FEWEST_SHOWN = 3
_NUM_QUERIES, _NUM_NEIGHBOURS = 4, 5  # pictures of a kind with their neighbours, and how many of those
_MAX_MATRIX = 12  # classes up to which all pairs fit on a page


def write_classifier_report(
    config: LinearConfig | FinetuneConfig,
    encoder_name: str,
    data: ClassificationData,
    verdicts: Verdicts,
    folder: RunFolder,
) -> None:
    """Write the page about a classifier that was trained.

    Args:
        config: The run.
        encoder_name: What was put to the test.
        data: The pictures.
        verdicts: On those for validation.
        folder: The run's, with its metrics; the page goes there.
    """
    metrics = read_metrics(folder.metrics)
    match config:
        case LinearConfig():
            title = "Linear probe"
            lead = "One linear layer learned to tell the classes by the features of an encoder that stayed as it was."
        case FinetuneConfig():
            title = "Fine-tuning"
            lead = "An encoder was trained further, together with a linear layer, to tell the classes apart."
        case _:
            assert_never(config)
    updates = f"{int(metrics[-1]['update'] or 0):,}" if metrics else "0"
    page = EvaluationReport(
        title=f"{title} of {encoder_name}",
        lead=lead,
        summary=_summary(config, encoder_name, data) | {"Updates": updates},
        scores=_tiles({"": verdicts}),
        metrics=metrics,
        curves=(("loss", "Training loss"), ("top1", "Top-1 while training"), ("lr", "Learning rate")),
        tables=tuple(_tables(verdicts)),
        examples=tuple(_judged(config, data, verdicts)),
        example_hint="The class that was predicted stands below each picture, with its probability.",
        config_json=json.dumps(config_to_json(config), indent=2),
        num_skipped=_count_lines(folder),
    )
    write_atomically(folder.report, render_evaluation_report(page))


def write_knn_report(
    config: KnnConfig,
    encoder_name: str,
    data: ClassificationData,
    verdicts: Mapping[int, Verdicts],
    neighbours: Neighbours,
    folder: RunFolder,
) -> None:
    """Write the page about nearest neighbours.

    Args:
        config: The task.
        encoder_name: What was put to the test.
        data: The pictures.
        verdicts: On those for validation, by number of neighbours; the first are looked at closely.
        neighbours: Of those pictures.
        folder: Where the page goes.
    """
    numbers = ", ".join(f"{number:,}" for number in verdicts)
    lowered = ", as many as there are" if max(config.num_neighbors) > max(verdicts) else ""
    first_number, first = next(iter(verdicts.items()))
    page = EvaluationReport(
        title=f"Nearest neighbours of {encoder_name}",
        lead="Each picture was given the class of the training pictures that are nearest to it in the space of the "
        "encoder's features. Nothing was trained.",
        summary=_summary(config, encoder_name, data) | {"Neighbours": numbers + lowered},
        scores=_tiles({f", {number:,} neighbours": each for number, each in verdicts.items()}),
        tables=tuple(_tables(first)),
        examples=tuple(_with_neighbours(config, data, first, neighbours)),
        example_hint="A picture for validation, and the training pictures nearest to it with their similarity, the "
        f"cosine: 1 is the same. The verdict is that of {first_number:,} neighbours.",
        config_json=json.dumps(config_to_json(config), indent=2),
        num_skipped=_count_lines(folder),
    )
    write_atomically(folder.report, render_evaluation_report(page))


def _summary(
    config: KnnConfig | LinearConfig | FinetuneConfig, encoder_name: str, data: ClassificationData
) -> dict[str, str]:
    return {
        "Encoder": encoder_name,
        "Data": str(data.root),
        "Classes": f"{len(data.classes):,}",
        "Training pictures": f"{len(data.train.labels):,}",
        "Pictures for validation": f"{len(data.val.labels):,}",
        "Size": "{} x {} pixels".format(*config.encoder.image_hw),
        "Seed": str(config.run.seed),
    }


def _tiles(verdicts: Mapping[str, Verdicts]) -> list[tuple[str, str, str]]:
    tiles = []
    for what, each in verdicts.items():
        chance = 1 / len(each.classes)
        tiles.append((f"Top-1{what}", percent(each.top(1)), f"right at first guess; by chance {percent(chance)}"))
        if len(each.classes) > NUM_RANKED:
            tiles.append((f"Top-5{what}", percent(each.top(NUM_RANKED)), "right within five guesses"))
    return tiles


def _tables(verdicts: Verdicts) -> Iterator[Table]:
    counts = verdicts.confusion()
    totals, right = counts.sum(axis=1), counts.diagonal()
    shares = np.where(totals > 0, right / np.maximum(totals, 1), np.inf)  # those without a picture come last
    wrong = counts - np.diag(right)
    names = verdicts.classes
    yield Table(
        "Classes",
        "The worst first: how many pictures of a class were recognised, and what the others were taken for most often.",
        ("Class", "Pictures", "Recognised", "Share", "Most often taken for"),
        tuple(
            (
                names[i],
                f"{totals[i]:,}",
                f"{right[i]:,}",
                percent(float(shares[i])) if totals[i] else DASH,
                f"{names[wrong[i].argmax()]} ({wrong[i].max():,})" if wrong[i].any() else DASH,
            )
            for i in np.argsort(shares, kind="stable")
        ),
    )
    if len(names) <= _MAX_MATRIX:
        yield Table(
            "What was taken for what",
            "Pictures of the class at the left that were taken for the class at the top.",
            ("Class", *names),
            tuple(
                (name, *(f"{count:,}" if count else DASH for count in row))
                for name, row in zip(names, counts, strict=True)
            ),
        )


def _judged(config: LinearConfig | FinetuneConfig, data: ClassificationData, verdicts: Verdicts) -> Iterator[Example]:
    """A card of pictures that were taken for something else, and one of those that were recognised."""
    wrong, right = _wrong_and_right(verdicts)
    wrong, right = wrong[:_NUM_SHOWN], _spread(right, _NUM_SHOWN)
    cards = {"Taken for something else, most surely": wrong, "Recognised, from surely to barely": right}
    if min(len(wrong), len(right)) < _FEWEST_SHOWN:  # a picture alone on its card would be as wide as the page
        cards = {"Mistakes first": np.concatenate([wrong, right])[:_NUM_SHOWN]}
    for heading, shown in cards.items():
        figures = (
            ExampleFigure(
                picture,
                f"{data.classes[verdicts.ranked[i, 0]]} {percent(verdicts.probability[i, 0], digits=0)}",
                "" if verdicts.ranked[i, 0] == verdicts.labels[i] else f"is {data.classes[verdicts.labels[i]]}",
            )
            for i, picture in zip(shown, _pictures(config, data.val.images, shown), strict=True)
        )
        yield Example(heading, tuple(figures))


def _with_neighbours(
    config: KnnConfig, data: ClassificationData, verdicts: Verdicts, neighbours: Neighbours
) -> Iterator[Example]:
    """A card for each of some pictures, with its neighbours: those taken for something else come first."""
    wrong, right = _wrong_and_right(verdicts)
    for i in (*wrong[:_NUM_QUERIES], *_spread(right, _NUM_QUERIES)):
        (query,) = _pictures(config, data.val.images, [i])
        near = neighbours.indices[i, :_NUM_NEIGHBOURS]
        figures = [
            ExampleFigure(picture, data.classes[data.train.labels[index]], f"similarity {similarity:.2f}")
            for picture, index, similarity in zip(
                _pictures(config, data.train.images, near), near, neighbours.similarity[i], strict=False
            )
        ]
        predicted, true = verdicts.ranked[i, 0], verdicts.labels[i]
        verdict = f"{data.classes[predicted]} with {percent(verdicts.probability[i, 0], digits=0)} of the votes"
        yield Example(
            data.val.images.names[i],
            (ExampleFigure(query, data.classes[true], "the picture, and its true class"), *figures),
            f"Recognised: {verdict}." if predicted == true else f"Taken for {verdict}.",
        )


def _wrong_and_right(verdicts: Verdicts) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures were taken for another class and which were not, the most certain verdicts first."""
    order = np.argsort(-verdicts.probability[:, 0], kind="stable")
    is_right = (verdicts.ranked[:, 0] == verdicts.labels)[order]
    return order[~is_right], order[is_right]


def _spread(indices: np.ndarray, number: int) -> np.ndarray:
    """A number of them at most, at even distances from the first to the last."""
    places = np.linspace(0, len(indices) - 1, min(number, len(indices))).round().astype(int)
    return indices[places]


def _pictures(
    config: KnnConfig | LinearConfig | FinetuneConfig, images: ImageSet, indices: np.ndarray | list[int]
) -> list[np.ndarray]:
    """What the encoder saw of some pictures, each (H, W, 3) uint8."""
    reading = PictureReading(images, config.encoder.image_hw, config.reading.max_pixels)
    return [enlarge(np.ascontiguousarray(pixels.transpose(1, 2, 0))) for pixels in read_batch(reading, indices).pixels]


def _count_lines(folder: RunFolder) -> int:
    path = folder.skipped_images
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0
