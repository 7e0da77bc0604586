import math
import re

import matplotlib as mpl
import pytest

from rmae.visual.curves import PRETRAINING, logged_values, training_curves

LINES = [
    {"update": 20, "pixel_loss": 0.9, "region_loss": 0.6, "lr": 1e-4},
    {"update": 40, "pixel_loss": 0.5, "region_loss": 0.3, "lr": 5e-5},
]


def _labels(html: str) -> list[str]:
    return re.findall(r'aria-label="([^"]*)"', html)


def test_each_logged_quantity_has_a_drawing_that_says_how_it_went() -> None:
    assert _labels(training_curves(LINES, PRETRAINING)) == [
        "Pixel loss against update: 0.9 at update 20, 0.5 at 40",
        "Region loss against update: 0.6 at update 20, 0.3 at 40",
        "Learning rate against update: 0.0001 at update 20, 5e-05 at 40",
    ]


@pytest.mark.parametrize("absent", [{}, {"region_loss": None}, {"region_loss": math.nan}])
def test_what_was_not_logged_is_not_drawn(absent: dict[str, float | None]) -> None:
    lines = [{"update": 20, "pixel_loss": 0.9, "lr": 1e-4, **absent}]
    assert [label.split(" against")[0] for label in _labels(training_curves(lines, PRETRAINING))] == [
        "Pixel loss",
        "Learning rate",
    ]


def test_one_line_is_enough() -> None:
    assert len(_labels(training_curves(LINES[:1], PRETRAINING))) == 3


def test_without_metrics_there_is_a_sentence() -> None:
    html = training_curves([], PRETRAINING)
    assert "No metrics" in html
    assert "<svg" not in html


def test_the_drawing_is_the_same_each_time() -> None:
    assert training_curves(LINES, PRETRAINING) == training_curves(LINES, PRETRAINING)


def test_ids_are_unique_and_every_reference_has_its_id() -> None:
    html = training_curves(LINES, PRETRAINING)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:href="|url\()#([^")]+)', html)
    assert references
    assert set(references) <= set(ids)


def test_colours_come_from_the_page() -> None:
    html = training_curves(LINES, PRETRAINING)
    assert "#00f1" not in html  # the stand-ins are all replaced
    for colour in ("var(--pixel)", "var(--region)", "var(--muted)", "var(--line)", "currentColor"):
        assert colour in html


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    training_curves(LINES, PRETRAINING)
    assert dict(mpl.rcParams) == before


def test_logged_values_leaves_out_what_is_missing_none_or_not_finite() -> None:
    lines = [{"update": 1, "x": 2.0}, {"update": 2}, {"update": 3, "x": None}, {"update": 4, "x": math.inf}]
    assert logged_values(lines, "x") == [(1, 2.0)]
