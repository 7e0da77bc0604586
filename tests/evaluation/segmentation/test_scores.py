import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from rmae.evaluation.segmentation.labels import IGNORED
from rmae.evaluation.segmentation.scores import count_pairs, score

NUM_CLASSES = 6


def pictures() -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and labels with ignored pixels; class 3 is never true, but predicted, class 5 is neither."""
    generator = np.random.default_rng(0)
    found = []
    for height, width in ((9, 12), (20, 7), (15, 15)):
        labels = generator.choice([IGNORED, 0, 1, 2, 4], (height, width), p=[0.2, 0.4, 0.2, 0.1, 0.1])
        wrong = generator.random((height, width)) < 0.3
        predicted = np.where(wrong | (labels < 0), generator.integers(0, 5, (height, width)), labels)
        found.append((predicted, labels))
    return found


def plain_scores(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[float], list[float], float]:
    """IoU and accuracy by class and pixel accuracy, by the definition over all pixels at once."""
    predicted = np.concatenate([p.ravel() for p, _ in found])
    labels = np.concatenate([t.ravel() for _, t in found])
    predicted, labels = predicted[labels >= 0], labels[labels >= 0]
    iou, accuracy = [], []
    for class_ in range(NUM_CLASSES):
        is_true, is_taken = labels == class_, predicted == class_
        both, either = (is_true & is_taken).sum(), (is_true | is_taken).sum()
        iou.append(both / either if either else math.nan)
        accuracy.append(both / is_true.sum() if is_true.any() else math.nan)
    return iou, accuracy, float((predicted == labels).mean())


def counts(found: list[tuple[np.ndarray, np.ndarray]]) -> list[torch.Tensor]:
    return [
        count_pairs(torch.from_numpy(predicted), torch.from_numpy(labels.astype(np.int16)), NUM_CLASSES)
        for predicted, labels in found
    ]


def test_scores_are_those_of_an_independent_count():
    iou, accuracy, pixel_accuracy = plain_scores(pictures())
    scores = score(counts(pictures()))
    np.testing.assert_allclose(scores.iou, iou, rtol=1e-12)
    np.testing.assert_allclose(scores.accuracy, accuracy, rtol=1e-12)
    assert scores.miou == pytest.approx(np.nanmean(iou), rel=1e-12)
    assert scores.mean_accuracy == pytest.approx(np.nanmean(accuracy), rel=1e-12)
    assert scores.pixel_accuracy == pytest.approx(pixel_accuracy, rel=1e-12)
    assert list(scores.headline()) == ["miou", "pixel_accuracy", "mean_accuracy"]


def test_mean_iou_is_that_of_torchmetrics():
    found = [(predicted.ravel(), labels.ravel()) for predicted, labels in pictures()]
    predicted, labels = (torch.from_numpy(np.concatenate(part)) for part in zip(*found, strict=True))
    expected = multiclass_jaccard_index(predicted, labels, NUM_CLASSES, ignore_index=IGNORED)
    assert score(counts(pictures())).miou == pytest.approx(float(expected), rel=1e-6)


def test_a_class_that_is_predicted_alone_has_no_overlap_and_one_that_is_nowhere_no_score():
    scores = score(counts(pictures()))
    assert scores.iou[3] == 0
    assert np.isnan(scores.iou).tolist() == [False, False, False, False, False, True]
    assert np.isnan(scores.accuracy).tolist() == [False, False, False, True, False, True]
    assert scores.num_pixels[[3, 5]].tolist() == [0, 0]


def test_shares_of_pictures_add_up():
    whole = score(counts(pictures()))
    first, *rest = counts(pictures())
    assert score([first, sum(rest, torch.zeros_like(first))]).headline() == whole.headline()


def test_by_hand():
    labels = torch.tensor([[0, 0, 1, IGNORED]])
    scores = score([count_pairs(torch.tensor([[0, 1, 1, 0]]), labels, 2)])
    assert scores.iou.tolist() == [0.5, 0.5]
    assert scores.headline() == {"miou": 0.5, "pixel_accuracy": pytest.approx(2 / 3), "mean_accuracy": 0.75}


def test_without_a_labelled_pixel_nothing_is_scored():
    labels = torch.full((2, 2), IGNORED)
    scores = score([count_pairs(torch.zeros(2, 2, dtype=torch.int64), labels, 2)])
    assert all(math.isnan(value) for value in scores.headline().values())
