import math
import re

import numpy as np

from rmae.visual.score_curves import CalibrationCurve, CalibrationPoint, ScoreCurve, calibration_plot, score_curves


def curve(name: str, *mean: float, look: int = 0) -> ScoreCurve:
    values = np.array(mean)
    return ScoreCurve(name, values, values - 0.1, values + 0.1, look)


def draw(curves: list[ScoreCurve], places=(1, 2, 3), **options) -> str:
    return score_curves(places, curves, title="IoU", across="clicks", up="mean IoU", prefix="here", **options)


def test_a_drawing_says_what_it_shows():
    drawn = draw([curve("one & all", 0.1, 0.2, 0.3), curve("other", 0.5, 0.5, 0.75, look=1)], whole_numbers=True)
    assert re.findall(r'aria-label="([^"]*)"', drawn) == ["IoU. one &amp; all: 0.10 to 0.30; other: 0.50 to 0.75"]
    assert drawn.startswith('<div class="curves"><svg')
    for variable in ("--region", "--pixel", "--line", "--card"):
        assert f"var({variable})" in drawn
    assert set(re.findall(r'id="(\w+)-', drawn)) == {"here"}


def test_the_same_input_gives_the_same_drawing():
    assert draw([curve("one", 0.1, 0.2, 0.3)]) == draw([curve("one", 0.1, 0.2, 0.3)])
    assert draw([curve("one", 0.1, 0.2, 0.3)]) != draw([curve("one", 0.1, 0.2, 0.4)])


def test_a_single_place_and_scores_without_intervals_are_drawn():
    alone = ScoreCurve("one", np.array([0.5]), np.array([math.nan]), np.array([math.nan]), 0)
    assert draw([alone], places=(1,), whole_numbers=True).count("<svg") == 1
    assert draw([ScoreCurve("one", *np.full((3, 3), math.nan), 0)], places=(0.1, 0.2, 0.5)).count("<svg") == 1


def test_more_lines_than_looks_are_drawn():
    drawn = draw([curve(f"line {number}", 0.1, 0.2, 0.3, look=number) for number in range(9)])
    assert "line 8: 0.10 to 0.30" in drawn


def test_calibration_is_drawn():
    points = [CalibrationPoint(0.1, 0.2, 0.25), CalibrationPoint(0.9, 0.7, 0.75)]
    curves = [CalibrationCurve("one", points, 0), CalibrationCurve("other", points[:1], 3)]
    drawn = calibration_plot(curves, title="Calibration", across="expected", up="true", prefix="there")
    assert 'aria-label="Calibration. one: 2 groups of answers; other: 1 groups of answers"' in drawn
    assert set(re.findall(r'id="(\w+)-', drawn)) == {"there"}
