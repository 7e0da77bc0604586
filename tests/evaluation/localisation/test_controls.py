import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmae.evaluation.localisation.controls import CONTROLS, ceiling_scores, chance_scores, control_scores
from rmae.evaluation.localisation.scores import SCORE_NAMES, score_map

INSIDE = np.array([[0, 3, 4, 4, 1, 0, 0, 0, 0], [0, 0, 0, 0, 2, 4, 0, 4, 0]])  # 3 x 3 patches of 4 pixels
OUTSIDE = np.array([[0, 1, 0, 0, 3, 4, 4, 4, 4], [4, 4, 4, 4, 2, 0, 4, 0, 0]])
QUERIES = np.array([0, 8])  # whose pixels do not count


def of(name: str, found: np.ndarray) -> list[dict[str, float]]:
    """Scores of a control by their names, for each object."""
    return [dict(zip(SCORE_NAMES, row, strict=True)) for row in found[:, CONTROLS.index(name)].tolist()]


def controls(numbers: tuple[int, ...] = (3, 9), seed: int = 0) -> np.ndarray:
    return control_scores(INSIDE, OUTSIDE, QUERIES, np.array(numbers), (3, 3), seed=seed)


def test_chance_is_what_random_maps_score_on_average():
    num_maps = 20_000
    inside, outside = torch.from_numpy(INSIDE), torch.from_numpy(OUTSIDE)
    values = torch.rand(2, num_maps, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chance = chance_scores(inside, outside, values)
    random = score_map(values, inside[:, None], outside[:, None])
    for name in SCORE_NAMES:
        scores = getattr(random, name)
        errors = 4 * scores.std(-1) / math.sqrt(num_maps)
        assert ((scores.mean(-1) - getattr(chance, name)).abs() <= errors).all(), name
    assert chance.mass.tolist() == chance.pointing.tolist() == [12 / 32, 10 / 32]


def test_chance_of_an_object_depends_on_its_number_and_the_seed_alone():
    found = controls()
    alone = control_scores(INSIDE[1:], OUTSIDE[1:], QUERIES[1:], np.array([9]), (3, 3), seed=0)
    assert np.array_equal(found[1:], alone, equal_nan=True)
    for other in (controls((3, 8)), controls(seed=1)):
        assert other[1, 0].tolist() != found[1, 0].tolist()
        assert np.array_equal(other[:, 1:], found[:, 1:], equal_nan=True)


def test_nearness_by_hand():
    """Seen from the last corner: both patches at distance 1 are inside, the one at 1.4 in part, all others outside."""
    nearness = of("nearness", controls())[1]
    assert math.isnan(nearness.pop("mass"))
    ties = 2 * 2 / 2  # of the pixels at 1.4, of which 2 are inside and 2 outside
    assert nearness == pytest.approx({"auc": 1 - ties / (10 * 22), "pointing": 1.0, "iou": 10 / 12})


def test_the_ceiling_by_hand():
    """Of object 0 the best patches hold 4, 4, 3 and 1 of its 12 pixels."""
    ceiling = of("ceiling", controls())[0]
    ties = 3 * 1 / 2 + 1 * 3 / 2
    assert ceiling == pytest.approx(
        {"auc": 1 - (ties + 1 * 1) / (12 * 20), "mass": 1.0, "pointing": 1.0, "iou": 11 / 13}
    )  # the pixel of the fourth patch is below the one of the third that is outside


cells = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=2, max_size=20)


@settings(max_examples=300, deadline=None)
@given(cells)
def test_no_map_is_above_the_ceiling(found: list[tuple[int, int]]):
    inside, values = torch.tensor(found, dtype=torch.float64).T
    outside = 4 - inside
    scores, ceiling = (each.stacked() for each in (score_map(values, inside, outside), ceiling_scores(inside, outside)))
    defined = ~(scores.isnan() | ceiling.isnan())
    assert (scores <= ceiling + 1e-12)[defined].all()
