"""Figures as people read them: means, differences, amounts."""

import math

from rmae.reproduction.contrasts import Contrast, Spread
from rmae.reproduction.score_words import ScoreWords
from rmae.visual.figure_words import DASH, MINUS, NO_BREAK

_MOST_DECIMALS = 4
_ROUNDING = 1e-9  # what is smaller than this is told as 0


def tell_spread(found: Spread | None, words: ScoreWords, *, num_seeds: int) -> str:
    """Tell a score: `31.0 ± 1.2`.

    Args:
        found: Over the seeds; None where there is nothing.
        words: How to tell it.
        num_seeds: How many there are; where the score is not defined for all of them, that is told.
    """
    if found is None:
        return DASH
    told = _signless(found.mean * words.scale, words.decimals)
    if not math.isnan(found.deviation):
        told += f"{NO_BREAK}±{NO_BREAK}{_signless(found.deviation * words.scale, words.decimals)}"
    return told + tell_seeds(found.num_seeds, num_seeds)


def tell_seeds(number: int, num_seeds: int) -> str:
    """Tell of how many seeds a figure is; nothing where it is of all of them."""
    return "" if number == num_seeds else f" ({number} of {num_seeds} seeds)"


def tell_contrast(found: Contrast, words: ScoreWords) -> tuple[str, str]:
    """Tell a difference, as `+1.2 points`, and its interval, as `+0.3 to +2.1`, "" where there is none.

    Ends that are not 0 are told with as many digits as it takes to see that.
    """
    scaled = [value * words.scale for value in found]
    if math.isnan(found.low):
        return f"{_signed(scaled[0], words.decimals)}{NO_BREAK}{words.unit}".rstrip(), ""
    decimals = words.decimals
    while decimals < _MOST_DECIMALS and any(_ROUNDING < abs(end) < 0.5 * 10**-decimals for end in scaled[1:]):
        decimals += 1
    estimate, low, high = (_signed(value, decimals) for value in scaled)
    return f"{estimate}{NO_BREAK}{words.unit}".rstrip(), f"{low}{NO_BREAK}to{NO_BREAK}{high}"


def tell_amount(number: float | None) -> str:
    """Tell an amount, at least 0, to three digits or to the ones: `0.0931`, `9.73`, `9,734`."""
    if number is None:
        return DASH
    return f"{number:,.0f}" if number >= 999.5 else f"{number:#.3g}".rstrip(".")


def _signless(number: float, decimals: int) -> str:
    return f"{number:.{decimals}f}".replace("-", MINUS)


def _signed(number: float, decimals: int) -> str:
    told = f"{number:+.{decimals}f}"
    is_zero = not told.strip("+-0.")
    return told[1:] if is_zero else told.replace("-", MINUS)
