import numpy as np
import pytest
import torch

from rmae.config import RunConfig
from rmae.data.skips import Skipped
from rmae.evaluation.classification.data import list_classes
from rmae.evaluation.classification.inference import Inference, Outputs, run_over
from rmae.evaluation.classification.pictures import PictureReading
from rmae.evaluation.classification.verdicts import Verdicts, classify, join, refuse_unreadable
from rmae.ops.normalisation import Normalise
from rmae.training.ranks import open_ranks

NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
def ranks():
    with open_ranks(RunConfig(accelerator="cpu")) as opened:
        yield opened


@pytest.fixture
def verdicts():
    ranked = np.array([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [5, 4, 3, 2, 1], [2, 1, 0, 3, 4]])
    return Verdicts(ranked, np.full(ranked.shape, 0.2, np.float32), np.array([0, 0, 0, 2]), NAMES)


def test_scores_by_hand(verdicts):
    assert verdicts.scores() == {"top1": 0.5, "top5": 0.75}
    assert verdicts.top(2) == 0.75
    few = verdicts._replace(classes=NAMES[:5])
    assert few.scores() == {"top1": 0.5}


def test_confusion_by_hand(verdicts):
    expected = np.zeros((6, 6), int)
    expected[0, [0, 1, 5]] = 1
    expected[2, 2] = 1
    np.testing.assert_array_equal(verdicts.confusion(), expected)


def test_a_classifier_is_judged_by_all_pictures_in_their_order(pictures, ranks):
    data = list_classes(pictures)
    reading = PictureReading(data.val.images, (16, 16), 10_000)
    inference = Inference(Normalise((0.0,) * 3, (1.0,) * 3), ranks, 3, 0)

    def brightest(images):
        return images.mean(dim=(2, 3)).flip(1)  # blue, green, red, as the classes are sorted

    verdicts = classify(brightest, data, reading, inference, doing=None)
    np.testing.assert_array_equal(verdicts.ranked[:, 0], data.val.labels)
    assert verdicts.ranked.shape == verdicts.probability.shape == (7, 3)
    np.testing.assert_allclose(verdicts.probability.sum(axis=1), 1, rtol=1e-5)
    assert verdicts.scores() == {"top1": 1.0}


def test_progress_is_shown_where_it_is_asked_for(pictures, ranks, capsys):
    reading = PictureReading(list_classes(pictures).val.images, (16, 16), 10_000)
    inference = Inference(Normalise((0.0,) * 3, (1.0,) * 3), ranks, 3, 0)
    run_over(lambda images: images.sum(dim=(1, 2, 3)), reading, inference, doing=None)
    assert capsys.readouterr().out == ""
    outputs = run_over(lambda images: images.sum(dim=(1, 2, 3)), reading, inference, doing="adding up")
    assert "adding up 7 of 7 images" in capsys.readouterr().out
    assert outputs.values.shape == (7,)


class Processes:
    """As `Ranks`, of a process that is the second of three: what the others have is given."""

    def __init__(self, before, after):
        self._before, self._after = before, after

    def gather(self, value):
        return [self._before, value, self._after]


def test_shares_are_joined_in_the_order_of_the_pictures():
    mine = Outputs(np.array([4, 1]), torch.empty(0), ())

    def rows(*values):
        return (np.array(values),)

    others = Processes((np.array([3, 0]), rows(30, 0), ()), (np.array([2]), rows(20), ()))
    (joined,) = join(mine, rows(40, 10), others)
    assert joined.tolist() == [0, 10, 20, 30, 40]
    nothing = Processes((np.array([3, 0, 2]), rows(30, 0, 20), ()), (np.empty(0, int), rows(), ()))
    (joined,) = join(mine, rows(40, 10), nothing)
    assert joined.tolist() == [0, 10, 20, 30, 40]


def test_a_picture_that_another_process_cannot_read_is_refused_here_too():
    mine = Outputs(np.array([1]), torch.empty(0), ())
    torn = Processes((np.array([0]), (np.array([0]),), (Skipped("val/a/2.png", "torn"),)), (np.array([3]), (), ()))
    with pytest.raises(
        ValueError, match=r"^the picture for validation val/a/2\.png cannot be read \(torn\); mend it and"
    ):
        join(mine, (np.array([1]),), torn)


def test_of_many_unreadable_pictures_the_first_is_named():
    refuse_unreadable(())
    with pytest.raises(ValueError, match=r"^the picture for validation a\.png and 2 more cannot be read \(x\)"):
        refuse_unreadable([Skipped("c.png", "z"), Skipped("a.png", "x"), Skipped("b.png", "y")])
