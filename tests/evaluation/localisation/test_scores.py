import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmae.evaluation.localisation.scores import SCORE_NAMES, MapScores, score_map


def scores(values: Sequence[float], inside: Sequence[float], outside: Sequence[float]) -> dict[str, float]:
    found = score_map(torch.tensor(values, dtype=torch.float64), torch.tensor(inside), torch.tensor(outside))
    return {name: score.item() for name, score in found._asdict().items()}


def pixel_scores(values: Sequence[float], mask: Sequence[int]) -> dict[str, float]:
    return scores(values, mask, [1 - pixel for pixel in mask])


def test_scores_have_the_order_of_their_names():
    assert MapScores._fields == SCORE_NAMES


def test_of_pixels_by_hand():
    """Sorted: in, out, in, out. IoU at the four thresholds: 1/2, 1/3, 2/3, 2/4. Of 2 x 2 pairs 3 are in order."""
    found = pixel_scores([0.4, 0.1, 0.3, 0.2], [1, 0, 0, 1])
    assert found == pytest.approx({"auc": 3 / 4, "mass": 0.6, "pointing": 1.0, "iou": 2 / 3})


def test_of_patches_by_hand():
    """Three patches of 4 pixels, of which 4, 1 and 0 are inside; the second one is the brightest.

    Pixels inside and outside by value: 2: 1 and 3; 1: 4 and 0; 0: 0 and 4. Of 5 x 7 pairs, 1 x 4 + 4 x 4 are in order
    and 1 x 3 are ties. IoU: 1 / 8, 5 / 8, 5 / 12.
    """
    found = scores([1.0, 2.0, 0.0], [4, 1, 0], [0, 3, 4])
    assert found == pytest.approx({"auc": (20 + 1.5) / 35, "mass": (4 + 2) / 12, "pointing": 1 / 4, "iou": 5 / 8})


def test_negative_values_have_no_mass_but_their_rank():
    found = pixel_scores([0.5, -3.0, -1.0, 0.5], [1, 0, 1, 0])
    assert found == pytest.approx({"auc": 2.5 / 4, "mass": 0.5, "pointing": 0.5, "iou": 2 / 3})
    below_zero = pixel_scores([-1.0, -2.0], [1, 0])
    assert math.isnan(below_zero.pop("mass"))
    assert below_zero == {"auc": 1.0, "pointing": 1.0, "iou": 1.0}


def test_a_perfect_map_has_exactly_1_and_its_opposite_0():
    mask = torch.rand(5, 300, generator=torch.Generator().manual_seed(0)) > torch.linspace(0.1, 0.9, 5)[:, None]
    perfect = score_map(mask.float(), mask, ~mask)
    assert perfect.stacked().eq(1.0).all()
    opposite = score_map(1.0 - mask.float(), mask, ~mask)
    assert opposite.mass.eq(0).all()
    assert opposite.pointing.eq(0).all()
    assert opposite.auc.eq(0).all()
    torch.testing.assert_close(opposite.iou, mask.double().mean(-1))  # of all pixels: better than those outside alone


def test_a_constant_map_scores_chance():
    found = scores([2.0, 2.0, 2.0], [3, 1, 0], [1, 3, 8])
    assert found == pytest.approx({"auc": 0.5, "mass": 0.25, "pointing": 0.25, "iou": 0.25})


def test_cells_without_pixels_do_not_count():
    """Though their values be the highest, or equal to another's."""
    for value in (9.0, 0.4, 0.0, -5.0):
        found = scores([0.4, value, 0.1, 0.3, 0.2], [1, 0, 0, 0, 1], [0, 0, 1, 1, 0])
        assert found == pixel_scores([0.4, 0.1, 0.3, 0.2], [1, 0, 0, 1])


def test_what_is_not_defined_is_not_a_number():
    nowhere, everywhere, nothing = (
        scores([1.0, 0.0], inside, outside)
        for inside, outside in (([0, 0], [1, 1]), ([1, 1], [0, 0]), ([0, 0], [0, 0]))
    )
    assert [name for name, score in nowhere.items() if math.isnan(score)] == ["auc", "iou"]
    assert (nowhere["mass"], nowhere["pointing"]) == (0, 0)
    assert [name for name, score in everywhere.items() if math.isnan(score)] == ["auc"]
    assert (everywhere["mass"], everywhere["pointing"], everywhere["iou"]) == (1, 1, 1)
    assert all(math.isnan(score) for score in nothing.values())
    assert math.isnan(scores([0.0, 0.0], [1, 0], [0, 1])["mass"])


def test_maps_are_scored_alike_alone_and_together():
    generator = torch.Generator().manual_seed(1)
    values = torch.randint(-2, 6, (3, 2, 40), generator=generator).float()
    inside = torch.randint(0, 5, (3, 1, 40), generator=generator)
    together = score_map(values, inside, 4 - inside)
    assert together.auc.shape == (3, 2)
    assert together.stacked().shape == (3, 2, 4)
    for i in range(3):
        for j in range(2):
            alone = score_map(values[i, j], inside[i, 0], 4 - inside[i, 0])
            assert torch.equal(alone.stacked(), together.stacked()[i, j])


def test_patches_score_as_their_pixels_do():
    """A cell is so many pixels of one value: laid out, they score the same."""
    generator = torch.Generator().manual_seed(2)
    values = torch.randint(-2, 6, (20,), generator=generator).double()
    inside = torch.randint(0, 5, (20,), generator=generator)
    pixels = values.repeat_interleave(4)
    mask = torch.stack([torch.arange(4) < number for number in inside]).flatten()
    torch.testing.assert_close(
        score_map(values, inside, 4 - inside).stacked(), score_map(pixels, mask, ~mask).stacked(), rtol=1e-12, atol=0
    )


def test_random_maps_score_chance():
    """4000 random maps of pixels, a quarter of which are inside."""
    values = torch.rand(4000, 64, generator=torch.Generator().manual_seed(3))
    mask = torch.arange(64) < 16
    found = score_map(values, mask, ~mask)
    for score, chance in ((found.mass, 0.25), (found.pointing, 0.25), (found.auc, 0.5)):
        assert score.mean().item() == pytest.approx(chance, abs=4 * score.std().item() / math.sqrt(4000))
    assert 0.25 < found.iou.mean() < 0.4  # the best of 64 thresholds does better than the one that takes all


def brute_auc(values: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> float:
    """Every pair of a cell inside and one outside."""
    higher = np.sign(values[:, None] - values[None, :]) / 2 + 0.5
    return float((higher * inside[:, None] * outside[None, :]).sum() / (inside.sum() * outside.sum()))


def brute_iou(values: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> float:
    """Every value as the threshold."""
    return max(
        inside[values >= threshold].sum() / (inside.sum() + outside[values >= threshold].sum()) for threshold in values
    )


cells = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=24
)  # few values, so that there are ties


@settings(max_examples=300, deadline=None)
@given(cells, st.sampled_from([1.0, 1e-30, 1e30]))
def test_area_and_best_iou_are_those_of_brute_force(found: list[tuple[int, int, int]], scale: float):
    values, inside, outside = np.array(found, dtype=np.float64).T
    scored = score_map(*(torch.from_numpy(each.copy()) for each in (values * scale, inside, outside)))
    if inside.any():
        assert scored.iou.item() == pytest.approx(brute_iou(values, inside, outside), rel=1e-12)
    else:
        assert scored.iou.isnan()
    if inside.any() and outside.any():
        assert scored.auc.item() == pytest.approx(brute_auc(values, inside, outside), rel=1e-12, abs=1e-15)
    else:
        assert scored.auc.isnan()


@settings(max_examples=200, deadline=None)
@given(cells, st.integers(0, 2**32 - 1))
def test_scores_lie_in_0_to_1_and_do_not_depend_on_the_order_of_cells(found: list[tuple[int, int, int]], seed: int):
    values, inside, outside = (torch.tensor(each, dtype=torch.float64) for each in zip(*found, strict=True))
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))
    one = score_map(values, inside, outside).stacked()
    other = score_map(values[order], inside[order], outside[order]).stacked()
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-15, equal_nan=True)
    defined = one[~one.isnan()]
    assert ((defined >= 0) & (defined <= 1)).all()
