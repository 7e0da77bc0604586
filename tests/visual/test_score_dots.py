import math
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from rmae.visual.score_dots import DotPanel, Dots, dot_figure, draw_score_dots

LABELS = ["from scratch", "MAE", "R-MAE, 0.25 of the epochs"]
NOTHING = Dots((), math.nan, math.nan, "none")
PANEL = DotPanel(
    "segmentation, mIoU",
    (
        Dots((20, 21, 22), 21, 1, "21.0 ± 1.0"),
        Dots((30.5,), 30.5, math.nan, "30.5"),
        Dots((31, 32, 36), 33, 2.6, "33.0 ± 2.6"),
    ),
)
EMPTY = DotPanel("clicks to 85 % IoU (fewer is better)", (NOTHING, NOTHING, NOTHING))


def drawn(panels: list[DotPanel], *, reference: int | None = None, labels: list[str] = LABELS) -> Figure:
    figure = dot_figure(labels, panels, reference=reference)
    figure.draw_without_rendering()
    return figure


def points(axes: Axes) -> list[list[tuple[float, float]]]:
    return [[(x, y) for x, y in np.asarray(line.get_xydata()).tolist()] for line in axes.lines]


def test_rows_have_their_seeds_their_mean_and_their_deviation() -> None:
    [axes] = drawn([PANEL]).axes
    lines = points(axes)
    assert [(20, 0), (21, 0), (22, 0)] in lines
    assert [(20, 0), (22, 0)] in lines
    assert [(21, -0.32), (21, 0.32)] in lines
    assert [(30.4, 2), (35.6, 2)] in lines
    assert [line for line in lines if line[0][1] == 1] == [[(30.5, 1)]]  # one seed has no deviation
    assert len(lines) == 3 + 2 + 3


def test_rows_stand_in_their_order_with_names_and_words() -> None:
    [axes] = drawn([PANEL]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == LABELS
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [(text.get_position()[1], text.get_text()) for text in axes.texts] == [
        (0, "21.0 ± 1.0"),
        (1, "30.5"),
        (2, "33.0 ± 2.6"),
    ]
    assert axes.get_title(loc="left") == "segmentation, mIoU"


def test_the_mean_of_the_reference_goes_through_all_rows() -> None:
    with_line, without, empty = drawn([PANEL, PANEL, EMPTY], reference=0).axes[:1] + drawn([PANEL, EMPTY]).axes
    assert len(with_line.lines) == len(without.lines) + 1
    assert np.asarray(with_line.lines[0].get_xdata()).tolist() == [21, 21]
    assert not empty.lines


def test_a_panel_without_scores_has_words_alone() -> None:
    [axes] = drawn([EMPTY], reference=0).axes
    assert not axes.lines
    assert [text.get_text() for text in axes.texts] == ["none"] * 3
    assert len(axes.get_xticks()) == 0


@pytest.mark.parametrize(("number", "grid"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)), (9, (3, 3))])
def test_panels_stand_beside_each_other_up_to_three(number: int, grid: tuple[int, int]) -> None:
    figure = drawn([PANEL] * number)
    rows = {round(axes.bbox.y0) for axes in figure.axes}
    columns = {round(axes.bbox.x0) for axes in figure.axes}
    assert len(figure.axes) == number
    assert (len(rows), len(columns)) == grid
    named = [axes for axes in figure.axes if axes.get_yticklabels()[0].get_text()]
    assert {round(axes.bbox.x0) for axes in named} == {min(columns)}


def boxes(figure: Figure) -> list[Bbox]:
    """Of all that is written and seen: there may be numbers beyond both ends of an axis, which are not drawn."""
    unseen = {
        id(label)
        for axes in figure.axes
        for label in axes.get_xticklabels()
        if not axes.get_xlim()[0] <= label.get_position()[0] <= axes.get_xlim()[1]
    }
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and id(text) not in unseen]
    return [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]


@pytest.mark.parametrize(
    ("labels", "panels"),
    [
        (LABELS, [PANEL] * 3),
        (LABELS, [PANEL, EMPTY, PANEL, EMPTY, PANEL]),
        ([f"RAE, true objects and their ground {i}" for i in range(3)], [PANEL, PANEL]),
        (LABELS, [DotPanel("words that are far too many for the width of a panel by itself", PANEL.rows)] * 4),
    ],
    ids=["usual", "empty", "long-names", "long-titles"],
)
def test_words_neither_overlap_nor_leave_the_figure(labels: list[str], panels: list[DotPanel]) -> None:
    figure = drawn(panels, labels=labels)
    found = boxes(figure)
    for box in found:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    for one, other in combinations(found, 2):
        assert not one.overlaps(other)


def test_dollars_are_no_formula() -> None:
    rows = (Dots((1.0,), 1.0, math.nan, r"$\frac"),)
    [axes] = drawn([DotPanel(r"$\frac", rows)], labels=[r"$\frac"]).axes
    assert axes.get_yticklabels()[0].get_text() == r"$\frac"


def test_the_file_has_its_own_ground_in_light_and_dark(tmp_path: Path) -> None:
    path = tmp_path / "dots.svg"
    draw_score_dots(LABELS, [PANEL, EMPTY], reference=0, title="Scores & seeds", path=path)
    svg = path.read_text()
    ElementTree.fromstring(svg)
    assert "<title>Scores &amp; seeds</title>" in svg
    assert "<text" not in svg
    [dark] = re.findall(r"<style>@media \(prefers-color-scheme: dark\)\{(.*)\}</style>", svg)
    drawn_in = set(re.findall(r"(?:fill|stroke): (#\w{6})", svg.replace(dark, "")))
    assert "#ffffff" in drawn_in
    for colour in drawn_in:
        assert f'[style*="fill: {colour}"]{{fill:#' in dark
        assert f'[style*="stroke: {colour}"]{{stroke:#' in dark


def test_the_same_scores_replace_a_file_by_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "dots.svg"
    before = dict(mpl.rcParams)
    draw_score_dots(LABELS, [PANEL], reference=None, title="t", path=path)
    first = path.read_bytes()
    path.write_text("something else")
    draw_score_dots(LABELS, [PANEL], reference=None, title="t", path=path)
    assert path.read_bytes() == first
    assert not re.search(rb"<dc:date>|Matplotlib", first)
    assert list(tmp_path.iterdir()) == [path]
    assert dict(mpl.rcParams) == before
