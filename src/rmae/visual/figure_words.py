"""Figures as pages write them: shares, numbers, intervals, and what stands where there is none."""

import math

DASH = "\N{EN DASH}"
"""What stands where there is no figure."""
MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"
"""Stands between what is not to be torn apart at the end of a line."""


def percent(share: float | None, *, digits: int = 1) -> str:
    """Write a share as a percentage, a dash for None and NaN.

    Args:
        share: A whole = 1.
        digits: After the point.
    """
    return DASH if share is None or math.isnan(share) else f"{100 * float(share):.{digits}f}{NO_BREAK}%"


def rough_percent(share: float) -> str:
    """Write a share in [0, 1] as a percentage of about two digits; only a whole is 100 %."""
    value = 100 * share
    if 0 < value < 0.001:
        digits = "<0.001"
    elif 99.5 <= value < 100:
        digits = ">99"
    else:
        digits = f"{value:.0f}" if value >= 9.5 else f"{value:.2g}"
    return f"{digits}{NO_BREAK}%"


def decimal(number: float | None, *, digits: int = 2) -> str:
    """Write a number with some digits after the point, a dash for None and NaN."""
    return DASH if number is None or math.isnan(number) else f"{number:.{digits}f}"


def interval(low: float, high: float, *, scale: float = 100, digits: int = 1) -> str:
    """Write an interval, for instance behind a score: `32.1 to 45.6`.

    Args:
        low: NaN = there is none, which is said.
        high: Likewise.
        scale: What a figure of 1 is written as; 100 = in percent, without the sign.
        digits: After the point.
    """
    if math.isnan(low):
        return "no interval"
    return f"{scale * low:.{digits}f}{NO_BREAK}to{NO_BREAK}{scale * high:.{digits}f}"
