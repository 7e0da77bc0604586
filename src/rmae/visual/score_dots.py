"""Scores of several encoders, seed by seed, as a picture that can stand in Markdown on any ground."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from rmae.files import write_atomically

_MOST_ACROSS = 3  # panels beside each other
_ROW, _ABOVE_AND_BELOW, _TITLE_LINE = 0.27, 0.62, 0.16  # inches of a row, of a panel's title and axis, of a line more
_LETTER, _PANEL = 0.075, 2.6  # inches of a letter of the rows' names, and of a panel
_TITLE_LETTERS = 30  # of a line of a panel's title
_GROUND, _INK, _MUTED, _GRID, _MARK = "#ffffff", "#1a2130", "#5a6476", "#e1e5ec", "#2f66d0"
_IN_THE_DARK = {_GROUND: "#171b24", _INK: "#e8ebf1", _MUTED: "#9ba5b7", _GRID: "#2a303d", _MARK: "#7fa8ff"}
_SVG_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "path",  # with the reader's fonts the words could be wider than the room they are given
    "svg.hashsalt": "rmae",  # otherwise the ids would differ from one writing to the next
}


class Dots(NamedTuple):
    """One row of a panel."""

    seeds: tuple[float, ...]
    """A score for each seed, in the unit in which it is told; none where there is no score."""
    mean: float
    """NaN where there is none."""
    deviation: float
    """NaN where there is none."""
    words: str
    """Written at the right of the row."""


class DotPanel(NamedTuple):
    """One score."""

    title: str
    """Stands above it."""
    rows: tuple[Dots, ...]
    """One for each label."""


def draw_score_dots(
    labels: Sequence[str], panels: Sequence[DotPanel], *, reference: int | None, title: str, path: Path
) -> None:
    """Draw every seed as a dot, means as upright strokes, and deviations as lines to both sides of them.

    The picture has a ground of its own, light or dark as the reader's screen is set, and so is legible on any page.

    Args:
        labels: Names of the rows, at least one.
        panels: At least one.
        reference: Number of the row whose mean goes through all rows of a panel as a dashed line; None = no line.
        title: What is drawn, for those who cannot see it.
        path: SVG file to write or to replace, the same bytes for the same input.
    """
    file = io.StringIO()
    with mpl.rc_context(_SVG_SETTINGS):
        figure = dot_figure(labels, panels, reference=reference)
        figure.savefig(file, format="svg", facecolor=_GROUND, metadata={"Title": title, "Date": None, "Creator": None})
    write_atomically(path, file.getvalue().replace("<defs>", f"<style>{_dark_style()}</style>\n <defs>", 1))


def dot_figure(labels: Sequence[str], panels: Sequence[DotPanel], *, reference: int | None) -> Figure:
    """Draw what `draw_score_dots` writes.

    Args:
        labels: Names of the rows, at least one.
        panels: At least one.
        reference: Number of the row whose mean goes through all rows of a panel; None = no line.

    Returns:
        A figure whose axes are the panels, up to three beside each other.
    """
    num_rows = math.ceil(len(panels) / _MOST_ACROSS)
    num_columns = math.ceil(len(panels) / num_rows)
    width = _LETTER * max(map(len, labels)) + _PANEL * num_columns
    title_lines = max(len(textwrap.wrap(panel.title, _TITLE_LETTERS)) for panel in panels)
    size = (width, num_rows * (_ROW * len(labels) + _ABOVE_AND_BELOW + _TITLE_LINE * (title_lines - 1)))
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=size, facecolor=_GROUND, layout=layout)
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(num_rows, num_columns, number + 1)
        _dress(axes, labels if number % num_columns == 0 else [""] * len(labels), panel)
        if reference is not None and not math.isnan(panel.rows[reference].mean):
            axes.axvline(panel.rows[reference].mean, color=_MUTED, linewidth=1, dashes=(3, 3), zorder=1)
        for height, row in enumerate(panel.rows):
            _draw_row(axes, height, row, colour=_MUTED if height == reference else _MARK)
    return figure


def _draw_row(axes: Axes, height: int, row: Dots, *, colour: str) -> None:
    words = _INK if row.seeds else _MUTED
    axes.text(
        1.03,
        height,
        row.words,
        transform=axes.get_yaxis_transform(),
        va="center",
        color=words,
        fontsize=8.5,
        parse_math=False,
    )
    if not row.seeds:
        return
    if not math.isnan(row.deviation):
        ends = (row.mean - row.deviation, row.mean + row.deviation)
        axes.plot(ends, (height, height), color=colour, linewidth=1.6, solid_capstyle="round", zorder=2)
    axes.plot((row.mean, row.mean), (height - 0.32, height + 0.32), color=colour, linewidth=2.2, zorder=3)
    axes.plot(
        row.seeds,
        [height] * len(row.seeds),
        linestyle="none",
        marker="o",
        markersize=4.6,
        markerfacecolor=_GROUND,
        markeredgecolor=colour,
        markeredgewidth=1.2,
        zorder=4,
    )


def _dress(axes: Axes, labels: Sequence[str], panel: DotPanel) -> None:
    title = textwrap.fill(panel.title, _TITLE_LETTERS)
    axes.set_title(title, loc="left", color=_INK, fontsize=9.5, fontweight="bold", pad=6, parse_math=False)
    axes.set_facecolor("none")
    axes.set_ylim(len(labels) - 0.4, -0.6)  # the first row on top
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9)
    axes.tick_params(axis="x", labelcolor=_MUTED, labelsize=8, pad=4)
    axes.tick_params(axis="y", labelcolor=_INK)
    axes.spines[:].set_visible(False)
    if not any(row.seeds for row in panel.rows):
        axes.set_xticks([])


def _dark_style() -> str:
    # The colours stand in the attributes, so that readers of SVG without style sheets draw the light picture.
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark} !important}}'
        for light, dark in _IN_THE_DARK.items()
        for what in ("fill", "stroke")
    )
    return f"@media (prefers-color-scheme: dark){{{rules}}}"
