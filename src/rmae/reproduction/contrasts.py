"""What seeds tell of a claim: means, contrasts with their intervals, and verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal, NamedTuple, get_args

from rmae.reproduction.record import Record

Verdict = Literal["holds", "fails", "within noise", "one seed", "above", "below"]
"""What is said of a claim. `above` and `below` are what was found where nothing was expected."""
Expected = Literal["above", "below", "equal", "not above"]
"""Of a contrast, compared with 0."""

_CONFIDENCE = 0.95
_ROUNDING = 1e-12  # what is no further from 0 than this is 0: scores carry some 16 digits


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim about encoders. Raises a ValueError for what cannot be judged."""

    contrast: Mapping[str, float]
    """Coefficient of each arm's score, by the name of the arm, none of them 0; `{"rmae": 1, "mae": -1}` is what R-MAE
    gains over MAE."""
    scores: tuple[str, ...]
    """Those of which it is claimed, as in `segment.miou`; it is judged for those that there are."""
    expected: Expected | None
    """What the contrast is claimed to be; None = nothing is claimed. Of numbers of clicks fewer are better, which makes
    `below` of what is `above` in other scores."""
    words: str
    """The claim, as Markdown in one line."""
    source: str
    """What the paper says, as Markdown in one line."""

    def __post_init__(self) -> None:
        """Raise a ValueError for what cannot be judged."""
        if not self.contrast or not all(math.isfinite(each) and each for each in self.contrast.values()):
            raise ValueError(f"the contrast of {self.words!r} needs coefficients that are neither 0 nor infinite")
        if not self.scores:
            raise ValueError(f"{self.words!r} is about no score; name at least one")
        if self.expected is not None and self.expected not in get_args(Expected):
            raise ValueError(f"{self.words!r} expects {self.expected!r}; it may be {', '.join(get_args(Expected))}")


class Spread(NamedTuple):
    """A score over seeds."""

    mean: float
    deviation: float
    """The sample's standard deviation; NaN of one seed."""
    num_seeds: int
    """At least 1."""


class Contrast(NamedTuple):
    """A difference between encoders, or between such differences."""

    estimate: float
    low: float
    """The lower end of the interval that holds it with 95 % confidence; NaN where there is none."""
    high: float
    """The upper end."""


class Judgement(NamedTuple):
    """What came of a claim for one score."""

    contrast: Contrast
    verdict: Verdict
    num_seeds: int
    """For which all arms of the claim have the score."""


def spread(values: Sequence[float]) -> Spread:
    """Mean and deviation of at least one number; exactly 0 is the deviation of equal ones."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else math.nan, len(values))


def contrast_of(differences: Sequence[float]) -> Contrast:
    """Mean of what each seed gives of a contrast, with Student's interval.

    Encoders of one seed share the order of pictures, crops and masks, in pre-training and in the task, so that a seed
    that is kind to one is kind to the others: what they have in common is not counted as noise.

    Args:
        differences: At least one; a seed each.

    Returns:
        The mean with its interval; without one where there is one seed, and as wide as a point where all are equal.
    """
    from scipy.special import stdtrit  # takes longer to import than all of this file

    estimate, deviation, num_seeds = spread(differences)
    if num_seeds == 1:
        return Contrast(estimate, math.nan, math.nan)
    half = float(stdtrit(num_seeds - 1, (1 + _CONFIDENCE) / 2)) * deviation / math.sqrt(num_seeds)
    return Contrast(estimate, estimate - half, estimate + half)


def judge(claim: Claim, record: Record, score: str) -> Judgement | None:
    """Compare a claim with what came of one score.

    Args:
        claim: What is claimed.
        record: What came of the table.
        score: One of the claim's scores.

    Returns:
        The contrast and the verdict; None where an arm of the claim is not in the record, or where there is no seed for
        which all of them have the score. Other seeds do not count.
    """
    arms = [record.values_by_seed(arm, score) for arm in claim.contrast]
    if not all(arms):
        return None
    differences = [
        math.fsum(coefficient * value for coefficient, value in zip(claim.contrast.values(), of_arms, strict=True))
        for of_arms in zip(*arms, strict=True)
        if not any(map(math.isnan, of_arms))
    ]
    if not differences:
        return None
    contrast = contrast_of(differences)
    return Judgement(contrast, _verdict(contrast, claim.expected), len(differences))


def _verdict(contrast: Contrast, expected: Expected | None) -> Verdict:
    if math.isnan(contrast.low):
        return "one seed"
    found = "above" if contrast.low > _ROUNDING else "below" if contrast.high < -_ROUNDING else "equal"
    if expected is None:
        return "within noise" if found == "equal" else found
    if found == expected:
        return "holds"
    if expected == "not above":
        return "fails" if found == "above" else "holds"
    return "within noise" if found == "equal" else "fails"
