import math

import numpy as np
import pytest

from rmae.visual.figure_words import DASH, decimal, interval, percent, rough_percent
from rmae.visual.region_statistics import PATCH_SHARE


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_share_is_not_torn_from_its_sign() -> None:
    assert percent(0.1234) == "12.3\N{NO-BREAK SPACE}%"
    assert percent(np.float32(0.82), digits=0) == "82\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_dash_stands_for_what_is_missing(missing: float | None) -> None:
    assert (percent(missing), decimal(missing)) == (DASH, DASH)


def test_numbers_have_two_digits_after_the_point() -> None:
    assert (decimal(3.14159), decimal(2, digits=1)) == ("3.14", "2.0")


def test_intervals_are_in_percent_unless_they_are_of_counts() -> None:
    assert _plain(interval(0.321, 0.4567)) == "32.1 to 45.7"
    assert _plain(interval(1.5, 12, scale=1, digits=2)) == "1.50 to 12.00"
    assert interval(math.nan, math.nan) == "no interval"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1e-6, "<0.001 %"),
        (1e-5, "0.001 %"),
        (0.000873, "0.087 %"),
        (PATCH_SHARE, "0.51 %"),
        (0.0096, "0.96 %"),
        (0.0996, "10 %"),
        (0.5, "50 %"),
        (0.994, "99 %"),
        (0.9999, ">99 %"),
        (1, "100 %"),
    ],
)
def test_a_rough_percentage_has_about_two_digits(share: float, text: str) -> None:
    assert _plain(rough_percent(share)) == text
