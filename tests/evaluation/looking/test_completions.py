from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import rmae
from rmae.evaluation.looking.completions import complete_picture, normalises_pixels, num_regions_at_once
from rmae.evaluation.looking.subject import Subject
from rmae.training.run_folder import SavedRun

MakeSubject = Callable[..., Subject]
CONFIG = rmae.VisualizeConfig(mask_ratios=(0.9, 0.5, 0.75), region_ratios=(0.5, 0.25), num_regions=2)


def picture(*size_hw: int, dtype=np.uint8, channels: int = 3) -> np.ndarray:
    high = np.iinfo(dtype).max
    return np.random.default_rng(1).integers(0, high, (*size_hw, channels), dtype=dtype, endpoint=True)


def maps(number: int, *, size_hw: tuple[int, int] = (32, 48)) -> np.ndarray:
    rows = np.arange(size_hw[0])[:, None].repeat(size_hw[1], axis=1)
    return np.stack([rows % (i + 2) == 0 for i in range(number)]) if number else np.zeros((0, *size_hw), bool)


def test_both_kinds_at_their_own_ratios(make_subject: MakeSubject):
    reconstructions, guesses = complete_picture(make_subject(), picture(50, 90), maps(2), CONFIG, index=0)
    assert [each.ratio for each in reconstructions] == [0.5, 0.75, 0.9]
    assert [(each.ratio, each.number) for each in guesses] == [(0.25, 0), (0.25, 1), (0.5, 0), (0.5, 1)]
    assert all(each.guess.shape == (32, 48, 3) for each in reconstructions)
    assert all(each.probability.shape == (32, 48) for each in guesses)
    assert [each.hidden.mean() for each in reconstructions] == [0.5, 0.75, 22 / 24]


def test_what_a_ratio_hides_every_larger_one_hides(make_subject: MakeSubject):
    reconstructions, guesses = complete_picture(make_subject(), picture(50, 90), maps(1), CONFIG, index=3)
    hidden = [guesses[0].hidden, *(each.hidden for each in reconstructions)]  # from a quarter up
    assert all((more | less == more).all() for less, more in pairwise(hidden))
    np.testing.assert_array_equal(guesses[1].hidden, hidden[1])  # regions share the mask of the picture


def test_visible_patches_are_the_picture_and_hidden_ones_are_not(make_subject: MakeSubject):
    for each in complete_picture(make_subject(), picture(50, 90), maps(0), CONFIG, index=0)[0]:
        hidden = each.hidden.repeat(8, axis=0).repeat(8, axis=1)
        np.testing.assert_array_equal(each.guess[~hidden], each.seen[~hidden])
        assert (each.guess[hidden] != each.seen[hidden]).mean() > 0.9


def test_hidden_pixels_leak_into_nothing(make_subject: MakeSubject):
    """What is hidden of a picture changes nothing that is shown, but where plain pixels are not what is predicted."""
    subject = make_subject()
    config = replace(CONFIG, mask_ratios=(0.75,), region_ratios=(0.75,), normalize_pixels=False)
    image, region = picture(32, 48), maps(1)
    [before], [of_region] = complete_picture(subject, image, region, config, index=0)
    hidden = before.hidden.repeat(8, axis=0).repeat(8, axis=1)
    other, other_region = image.copy(), region.copy()
    other[hidden], other_region[:, hidden] = 255 - image[hidden], ~region[:, hidden]
    [after], [of_other] = complete_picture(subject, other, other_region, config, index=0)
    np.testing.assert_array_equal(after.guess, before.guess)
    np.testing.assert_array_equal(of_other.probability, of_region.probability)
    assert after.error != before.error


def test_figures_are_those_of_the_pictures_that_are_shown(make_subject: MakeSubject):
    subject = make_subject()
    [each], [of_region] = complete_picture(
        subject, picture(32, 48), maps(1), replace(CONFIG, mask_ratios=(0.5,), region_ratios=(0.5,)), index=0
    )
    hidden = each.hidden.repeat(8, axis=0).repeat(8, axis=1)
    difference = (each.guess.astype(float) - each.seen)[hidden] / 255
    assert each.error == pytest.approx(np.sqrt((difference**2).mean()), abs=0.003)  # 8 bits
    predicted, true = of_region.probability[hidden] >= 0.5, of_region.region[hidden]
    assert of_region.iou == pytest.approx((predicted & true).sum() / (predicted | true).sum())
    assert of_region.baseline == pytest.approx(true.mean())


def test_a_picture_and_a_seed_have_their_own_mask_and_models_share_it(make_subject: MakeSubject):
    first, second = make_subject(seed=1), make_subject(seed=2, task="mae")

    def hidden(subject: Subject, index: int, seed: int = 0) -> bytes:
        config = replace(CONFIG, seed=seed)
        return complete_picture(subject, picture(20, 20), maps(0), config, index=index)[0][0].hidden.tobytes()

    assert hidden(first, 0) == hidden(second, 0)
    assert len({hidden(first, 0), hidden(first, 1), hidden(first, 0, seed=1)}) == 3


def test_regions_with_a_mask_of_their_own(make_subject: MakeSubject):
    config = replace(CONFIG, mask_ratios=(0.5,), region_ratios=(0.5,))
    [each], [of_region] = complete_picture(make_subject(shared_mask=False), picture(9, 9), maps(1), config, index=0)
    assert (each.hidden != of_region.hidden).any()


def test_the_whole_picture_may_be_seen_while_regions_are_completed(make_subject: MakeSubject):
    config = replace(CONFIG, mask_ratios=(0.5,), region_ratios=(0.5,))
    image, other = picture(32, 48), picture(32, 48)
    subject = make_subject()
    [each], [plain] = complete_picture(subject, image, maps(1), config, index=0)
    hidden = each.hidden.repeat(8, axis=0).repeat(8, axis=1)
    other[hidden] = 0
    whole = replace(config, whole_picture=True)
    [same], [seeing] = complete_picture(subject, image, maps(1), whole, index=0)
    [_], [seeing_other] = complete_picture(subject, other, maps(1), whole, index=0)
    np.testing.assert_array_equal(same.guess, each.guess)  # reconstructions stay as they are
    np.testing.assert_array_equal(seeing.hidden, plain.hidden)
    assert (seeing.probability != plain.probability).any()
    assert (seeing_other.probability[hidden] != seeing.probability[hidden]).any()


@pytest.mark.parametrize(
    ("changes", "num_shown", "expected"),
    [
        ({}, 2, 3),
        ({}, 5, 5),
        ({"region_variant": "channel"}, 5, 3),
        ({"region_variant": "batch"}, 1, 3),
        ({"task": "mae"}, 5, 0),
    ],
)
def test_a_model_is_given_as_many_regions_as_in_training(
    make_subject: MakeSubject, changes: dict, num_shown: int, expected: int
):
    subject = make_subject(**changes)
    assert num_regions_at_once(subject, num_shown) == expected
    for number in (1, 2, 7):
        config = replace(CONFIG, region_ratios=(0.5,), num_regions=num_shown)
        guesses = complete_picture(subject, picture(20, 20), maps(number), config, index=0)[1]
        assert [each.number for each in guesses] == list(range(min(number, num_shown, expected)))


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_other_channels_and_depths(make_subject: MakeSubject, channels: int, dtype: type):
    subject = make_subject(channels=channels)
    for each in complete_picture(subject, picture(7, 3, dtype=dtype, channels=channels), maps(0), CONFIG, index=0)[0]:
        assert each.seen.shape == (32, 48, 3)
        assert np.isfinite(each.error)


def test_16_bits_are_shown_in_the_range_that_they_use(make_subject: MakeSubject):
    subject = make_subject(channels=1)
    dim = np.linspace(1000, 3000, 32 * 48).reshape(32, 48, 1).astype(np.uint16)
    each = complete_picture(subject, dim, maps(0), CONFIG, index=0)[0][0]
    assert each.seen.min() == 0
    assert each.seen.max() == 255


def test_an_encoder_alone_completes_nothing(make_subject: MakeSubject):
    alone = make_subject()._replace(model=None)
    assert complete_picture(alone, picture(9, 9), maps(1), CONFIG, index=0) == ([], [])
    assert num_regions_at_once(alone, 3) == 0


def test_parts_that_are_missing_are_left_out(make_subject: MakeSubject):
    reconstructions, guesses = complete_picture(make_subject(task="rae"), picture(9, 9), maps(1), CONFIG, index=0)
    assert (len(reconstructions), len(guesses)) == (0, 2)
    reconstructions, guesses = complete_picture(make_subject(task="mae"), picture(9, 9), maps(1), CONFIG, index=0)
    assert (len(reconstructions), len(guesses)) == (3, 0)
    reconstructions, guesses = complete_picture(make_subject(feeding="both"), picture(9, 9), maps(0), CONFIG, index=0)
    assert (len(reconstructions), len(guesses)) == (3, 0)  # of a picture without regions


def run_with(settings: dict) -> SavedRun:
    return SavedRun(settings, None, "", Path("config.json"))


def test_pixels_are_normalised_as_is_said_or_as_the_run_says_or_else(make_subject: MakeSubject):
    subject = make_subject()
    assert normalises_pixels(subject, CONFIG)
    assert not normalises_pixels(subject, replace(CONFIG, normalize_pixels=False))
    of_run = subject._replace(run=run_with({"loss": {"normalize_pixels": False}}))
    assert not normalises_pixels(of_run, CONFIG)
    assert normalises_pixels(of_run, replace(CONFIG, normalize_pixels=True))
    assert normalises_pixels(subject._replace(run=run_with({})), CONFIG)


def test_a_ratio_that_leaves_nothing_is_said_with_the_name_of_the_model(make_subject: MakeSubject):
    with pytest.raises(ValueError, match=r"^mine: with mask_ratio 0.99 none of the 24 patches is visible"):
        complete_picture(make_subject(), picture(9, 9), maps(0), replace(CONFIG, mask_ratios=(0.99,)), index=0)
