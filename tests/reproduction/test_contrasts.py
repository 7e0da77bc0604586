"""Verdicts on small numbers, checked by hand and against scipy."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rmae.reproduction.contrasts import Claim, Contrast, contrast_of, judge, spread
from rmae.reproduction.record import ArmRecord, DataRecord, Record

SCORE = "segment.miou"


def claim(expected: Any, **contrast: float) -> Claim:
    return Claim(contrast=contrast, scores=(SCORE,), expected=expected, words="a beside b", source="")


def record(**values: tuple[float | None, ...] | None) -> Record:
    seeds = max(len(each or ()) for each in values.values())
    return Record(
        table="a",
        budget="tiny",
        command="rmae reproduce a",
        data=DataRecord(description="pictures", train=1, labelled=1, val=1, classes=1),
        seeds=tuple(range(seeds)),
        tasks={"segment": ("miou",)},
        arms=tuple(
            ArmRecord(name=name, label=name, flags="", parameters=None, gmacs=None, scores={SCORE: each})
            for name, each in values.items()
        ),
        machine={},
        commits=(),
        seconds={},
    )


def verdict(expected: Any, **values: tuple[float | None, ...]) -> str:
    found = judge(claim(expected, a=1, b=-1), record(**values), SCORE)
    assert found is not None
    return found.verdict


def test_mean_and_sample_deviation():
    assert spread((1.0, 2.0, 4.5)) == (2.5, pytest.approx(math.sqrt((2.25 + 0.25 + 4) / 2)), 3)


def test_one_seed_has_no_deviation():
    found = spread((0.3,))
    assert found.mean == 0.3
    assert math.isnan(found.deviation)


def test_equal_values_have_no_deviation_at_all():
    assert spread((0.1, 0.1, 0.1)) == (0.1, 0, 3)


@pytest.mark.parametrize("num_seeds", [2, 3, 7])
def test_the_interval_is_that_of_differences_seed_by_seed(num_seeds: int):
    a, b = np.random.default_rng(num_seeds).normal(size=(2, num_seeds)) * [[1], [4]]
    found = judge(claim(None, a=1, b=-1), record(a=tuple(a.tolist()), b=tuple(b.tolist())), SCORE)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found is not None
    assert found.contrast == pytest.approx((a.mean() - b.mean(), expected.low, expected.high), rel=1e-10)


def test_what_a_seed_does_to_all_encoders_is_no_noise():
    found = judge(claim("above", a=1, b=-1), record(a=(0.75, 0.25, 1.0), b=(0.5, 0.0, 0.75)), SCORE)
    assert found == (Contrast(0.25, 0.25, 0.25), "holds", 3)


def test_coefficients_multiply_scores():
    values = {"a": (1.0, 2.0, 6.0), "b": (2.0, 2.5, 3.5)}
    tripled = {"a": (3.0, 6.0, 18.0), "b": values["b"]}
    one, other = (
        judge(claim(None, a=coefficient, b=-0.5), record(**of_arms), SCORE)
        for coefficient, of_arms in ((3, values), (1, tripled))
    )
    assert one == other
    assert one is not None
    assert one.contrast.estimate == pytest.approx(9 - 8 / 6)


def test_turning_a_contrast_around_turns_its_interval_around():
    estimate, low, high = contrast_of((1.0, 2.0, 6.0))
    assert contrast_of((-1.0, -2.0, -6.0)) == pytest.approx((-estimate, -high, -low))


NOT_DECIDED = {
    "above": "within noise", "below": "within noise", "equal": "holds", "not above": "holds", None: "within noise"
}  # fmt: skip


@pytest.mark.parametrize(
    ("a", "words"),
    [
        (
            (0.5, 0.51, 0.52),
            {"above": "holds", "below": "fails", "equal": "fails", "not above": "fails", None: "above"},
        ),
        (
            (0.1, 0.11, 0.12),
            {"above": "fails", "below": "holds", "equal": "fails", "not above": "holds", None: "below"},
        ),
        ((0.1, 0.31, 0.5), NOT_DECIDED),
        ((0.3, 0.3, 0.3), NOT_DECIDED),
    ],
)
def test_verdicts(a: tuple[float, ...], words: dict[Any, str]):
    b = (0.29, 0.3, 0.31) if len(set(a)) > 1 else (0.3, 0.3, 0.3)
    assert {expected: verdict(expected, a=a, b=b) for expected in words} == words


def test_equal_gains_are_equal_but_for_rounding():
    """0.8 - 0.7 and 0.3 - 0.2 differ in the last bit."""
    values = {"a": (0.8, 0.8), "b": (0.7, 0.7), "c": (0.3, 0.3), "d": (0.2, 0.2)}
    found = judge(claim("equal", a=1, b=-1, c=-1, d=1), record(**values), SCORE)
    assert found is not None
    assert found.contrast.estimate != 0
    assert found.verdict == "holds"


@pytest.mark.parametrize("expected", ["above", "equal", None])
def test_one_seed_gives_an_estimate_and_no_interval(expected: str | None):
    found = judge(claim(expected, a=1, b=-1), record(a=(0.75,), b=(0.5,)), SCORE)
    assert found is not None
    assert found.contrast.estimate == 0.25
    assert math.isnan(found.contrast.low)
    assert math.isnan(found.contrast.high)
    assert found[1:] == ("one seed", 1)


def test_seeds_without_a_score_do_not_count():
    whole = judge(claim("above", a=1, b=-1), record(a=(0.5, 0.6), b=(0.1, 0.2)), SCORE)
    torn = judge(claim("above", a=1, b=-1), record(a=(0.5, None, 0.6, 0.9), b=(0.1, 0.3, 0.2, math.nan)), SCORE)
    assert torn == whole
    assert torn is not None
    assert torn.num_seeds == 2
    assert verdict("above", a=(0.5, None, math.nan), b=(0.1, 0.2, 0.15)) == "one seed"
    assert judge(claim("above", a=1, b=-1), record(a=(0.5, None), b=(None, 0.2)), SCORE) is None


def test_what_is_not_there_is_not_judged():
    assert judge(claim("above", a=1, c=-1), record(a=(0.5, 0.6), b=(0.1, 0.2)), SCORE) is None
    assert judge(claim("above", a=1, b=-1), record(a=(0.5, 0.6), b=None), SCORE) is None
    assert judge(claim("above", a=1, b=-1), record(a=(0.5, 0.6), b=(None, math.nan)), SCORE) is None
    assert judge(claim("above", a=1, b=-1), record(a=(0.5, 0.6), b=(0.1, 0.2)), "segment.other") is None


def test_claims_that_cannot_be_judged_are_refused():
    for contrast in ({}, {"a": 0.0}, {"a": math.inf}, {"a": math.nan}):
        with pytest.raises(
            ValueError, match=r"^the contrast of 'a beside b' needs coefficients that are neither 0 nor"
        ):
            claim("above", **contrast)
    with pytest.raises(ValueError, match=r"^'a beside b' expects 'better'; it may be above, below, equal, not above$"):
        claim("better", a=1)
    with pytest.raises(ValueError, match=r"^'w' is about no score; name at least one$"):
        Claim(contrast={"a": 1}, scores=(), expected=None, words="w", source="")
