import numpy as np
import pytest
import torch

from rmae.data.seeding import keyed_randomness
from rmae.evaluation.classification.mixing import Mixing

CPU = torch.device("cpu")


def mixed(update=0, rank=0, **settings):
    """A batch whose picture i is i everywhere, mixed."""
    settings = {"mixup": 0.8, "cutmix": 1.0, "label_smoothing": 0.0, "num_classes": 4} | settings
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 16, 16).clone()
    with keyed_randomness(0, update, rank, device=CPU):
        return Mixing(**settings)(images, torch.arange(4))


@pytest.mark.parametrize("settings", [{"cutmix": 0.0}, {"mixup": 0.0}, {}])
def test_targets_are_shares_of_what_is_in_the_picture(settings):
    for update in range(10):
        images, targets = mixed(update, **settings)
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
        torch.testing.assert_close(targets @ torch.arange(4.0), images.mean(dim=(1, 2, 3)))


def test_mixup_blends_and_cutmix_cuts():
    blended, cut = mixed(cutmix=0.0)[0], mixed(mixup=0.0)[0]
    assert all(len(image.unique()) == 1 for image in blended)
    assert any(0 < value < 3 for value in blended[0].unique().tolist())
    assert all(set(image.unique().tolist()) <= {float(i), float(3 - i)} for i, image in enumerate(cut))


def test_both_come_at_even_odds():
    are_blended = [all(len(image.unique()) == 1 for image in mixed(update)[0]) for update in range(100)]
    assert 30 < sum(are_blended) < 70


def test_the_same_update_draws_the_same_and_others_do_not():
    first, again = mixed(3), mixed(3)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[1], mixed(4)[1])
    assert not torch.equal(first[1], mixed(3, rank=1)[1])


def test_without_mixing_targets_are_smoothed():
    images, targets = mixed(mixup=0.0, cutmix=0.0, label_smoothing=0.2)
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(targets[1], [0.05, 0.85, 0.05, 0.05], rtol=1e-6)
    torch.testing.assert_close(mixed(label_smoothing=0.2)[1].sum(dim=1), torch.ones(4))
