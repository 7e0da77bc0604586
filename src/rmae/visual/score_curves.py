"""Scores against what they depend on, one line each, as inline SVG that follows the colours of the page around it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rmae.visual.inline_svg import GRID, GROUND, INK, MUTED, PIXEL, REGION, inline_svg

_SETTINGS: dict[Any, Any] = {"font.size": 9.5}
# The page's own colours first; the others stand out from its light ground and from its dark one: Okabe and Ito's
# orange, green, purple and sky blue, brought to a middle lightness. Markers differ for those who see no difference.
_LOOKS = (
    (REGION, "o"),
    (PIXEL, "s"),
    ("#c98600", "^"),
    ("#0f9d78", "D"),
    ("#a86fc7", "v"),
    ("#3f9fd0", "P"),
    (MUTED, "X"),
)
_BAND = 0.16  # opacity of an interval


class ScoreCurve(NamedTuple):
    """One line."""

    name: str
    """Written in the legend."""
    mean: np.ndarray
    """Shape (n,) float in [0, 1]; NaN where there is no score."""
    low: np.ndarray
    """The lower end of each interval, NaN where there is none; shape (n,) float."""
    high: np.ndarray
    """The upper end."""
    look: int
    """Colour and marker, from 0 on: the same for one method in all drawings; after seven they come again."""


class CalibrationPoint(NamedTuple):
    """Answers of about the same confidence."""

    confidence: float
    """Mean, in [0, 1]."""
    truth: float
    """What was true of them, mean, in [0, 1]."""
    weight: float
    """Share of all answers, above 0; the area of the point."""


class CalibrationCurve(NamedTuple):
    """One line of them."""

    name: str
    """Written in the legend."""
    points: Sequence[CalibrationPoint]
    """At least one, by confidence."""
    look: int
    """As that of a `ScoreCurve`."""


def score_curves(
    places: Sequence[float],
    curves: Sequence[ScoreCurve],
    *,
    title: str,
    across: str,
    up: str,
    prefix: str,
    whole_numbers: bool = False,
) -> str:
    """Draw scores in [0, 1], with their intervals as bands.

    Args:
        places: What the scores depend on, n numbers, ascending.
        curves: At least one line; the first is on top.
        title: What is drawn, for those who cannot see it.
        across: What `places` are.
        up: What the scores are.
        prefix: Put before each id; must differ between the drawings of one page.
        whole_numbers: Whether places are counted.

    Returns:
        HTML: one `<svg>` in a card.
    """
    with mpl.rc_context(_SETTINGS):
        figure, axes = _figure()
        for number, curve in enumerate(curves):
            colour, marker = _LOOKS[curve.look % len(_LOOKS)]
            axes.fill_between(places, curve.low, curve.high, color=colour, alpha=_BAND, linewidth=0)
            axes.plot(
                places,
                curve.mean,
                color=colour,
                marker=marker,
                markersize=5.5,
                markeredgecolor=GROUND,
                linewidth=1.9,
                label=curve.name,
                zorder=3 + len(curves) - number,
            )
        _dress(axes, across=across, up=up)
        if whole_numbers:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
        else:
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(_percent)
        _legend(axes)
        ends = "; ".join(f"{curve.name}: {curve.mean[0]:.2f} to {curve.mean[-1]:.2f}" for curve in curves)
        svg = inline_svg(figure, prefix=prefix, label=f"{title}. {ends}")
    return f'<div class="curves">{svg}</div>\n'


def calibration_plot(curves: Sequence[CalibrationCurve], *, title: str, across: str, up: str, prefix: str) -> str:
    """Draw what was true against what was expected; on the dashed line the two are equal.

    Args:
        curves: At least one line.
        title: What is drawn, for those who cannot see it.
        across: What was expected.
        up: What was true.
        prefix: Put before each id; must differ between the drawings of one page.

    Returns:
        HTML: one `<svg>` in a card.
    """
    with mpl.rc_context(_SETTINGS):
        figure, axes = _figure()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, dashes=(4, 3))
        for curve in curves:
            colour, _ = _LOOKS[curve.look % len(_LOOKS)]
            confidence, truth, weights = zip(*curve.points, strict=True)
            axes.plot(confidence, truth, color=colour, linewidth=1.9, label=curve.name, zorder=3)
            sizes = 12 + 300 * np.array(weights)
            axes.scatter(confidence, truth, s=sizes, color=colour, edgecolors=GROUND, linewidths=0.8, zorder=4)
        _dress(axes, across=across, up=up)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(_percent)
        _legend(axes)
        counted = "; ".join(f"{curve.name}: {len(curve.points)} groups of answers" for curve in curves)
        svg = inline_svg(figure, prefix=prefix, label=f"{title}. {counted}")
    return f'<div class="curves">{svg}</div>\n'


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    figure.patch.set_alpha(0)
    return figure, figure.add_subplot()


def _dress(axes: Axes, *, across: str, up: str) -> None:
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(_percent)
    axes.set_facecolor("none")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK)
    axes.tick_params(axis="x", pad=7)  # below the 0 of the other axis
    axes.spines[:].set_visible(False)


def _legend(axes: Axes) -> None:
    """Names beside the axes, where they hide nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, labelcolor=INK)


def _percent(share: float, _: object) -> str:
    return f"{100 * share:.3g} %"
