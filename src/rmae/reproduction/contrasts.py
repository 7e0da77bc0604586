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
    """Coefficient of each arm's mean, by the name of the arm, none of them 0; `{"rmae": 1, "mae": -1}` is what R-MAE
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
    """A difference of means, or of differences."""

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
    """Of the arm that has the fewest."""


def spread(values: Sequence[float]) -> Spread:
    """Mean and deviation of at least one number; exactly 0 is the deviation of equal ones."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else math.nan, len(values))


def contrast_of(terms: Sequence[tuple[float, Spread]]) -> Contrast:
    """Add up means, each times its coefficient.

    The interval is Student's t, with the degrees of freedom of Welch and Satterthwaite: arms may vary by different
    amounts. They are taken for independent of each other; that they share seeds, and so the order of pictures, can only
    make it wider than need be. Where none of them varies, it is as wide as a point.

    Args:
        terms: At least one coefficient with what it multiplies.

    Returns:
        The sum with its interval; without one where there is an arm of one seed.
    """
    from scipy.special import stdtrit  # takes longer to import than all of this file

    estimate = math.fsum(coefficient * each.mean for coefficient, each in terms)
    if any(each.num_seeds == 1 for _, each in terms):
        return Contrast(estimate, math.nan, math.nan)
    errors = [abs(coefficient) * each.deviation / math.sqrt(each.num_seeds) for coefficient, each in terms]
    error = math.hypot(*errors)
    if error == 0:
        return Contrast(estimate, estimate, estimate)
    # By shares of the variance, which cannot underflow as variances do.
    shares = [(one / error) ** 2 for one in errors]
    freedom = 1 / math.fsum(share**2 / (each.num_seeds - 1) for share, (_, each) in zip(shares, terms, strict=True))
    half = float(stdtrit(freedom, (1 + _CONFIDENCE) / 2)) * error
    return Contrast(estimate, estimate - half, estimate + half)


def judge(claim: Claim, record: Record, score: str) -> Judgement | None:
    """Compare a claim with what came of one score.

    Args:
        claim: What is claimed.
        record: What came of the table.
        score: One of the claim's scores.

    Returns:
        The contrast and the verdict; None where an arm of the claim is not in the record, or has no value of the score.
        A seed whose score is not defined does not count.
    """
    terms = []
    for arm, coefficient in claim.contrast.items():
        values = record.values(arm, score)
        if not values:
            return None
        terms.append((coefficient, spread(values)))
    contrast = contrast_of(terms)
    return Judgement(contrast, _verdict(contrast, claim.expected), min(each.num_seeds for _, each in terms))


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
