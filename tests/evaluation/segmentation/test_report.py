import torch

from rmae.evaluation.segmentation.report import _table, _tiles
from rmae.evaluation.segmentation.scores import count_pairs, score

CLASSES = ("around", "red", "blue", "unicorn")


def test_classes_without_a_score_are_named_and_left_out():
    """Blue is predicted alone, the unicorn is nowhere."""
    scores = score([count_pairs(torch.tensor([[0, 0, 1, 2]]), torch.tensor([[0, 0, 1, 1]]), len(CLASSES))])
    assert [value for _, value, _ in _tiles(scores)] == ["50.0\xa0%", "75.0\xa0%", "75.0\xa0%"]
    assert _tiles(scores)[0][2].endswith("mean over classes; 1 of 4 classes is left out")
    table = _table(CLASSES, scores)
    assert table.hint.endswith("Neither in the labels nor predicted, and so without a score: unicorn.")
    assert table.rows == (
        ("around", "100.0\xa0%", "100.0\xa0%", "50.0\xa0%"),
        ("red", "50.0\xa0%", "50.0\xa0%", "50.0\xa0%"),
        ("blue", "0.0\xa0%", "\N{EN DASH}", "0.0\xa0%"),
        ("unicorn", "\N{EN DASH}", "\N{EN DASH}", "0.0\xa0%"),
    )
