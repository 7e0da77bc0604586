"""Training curves as inline SVG that follows the colours of the page around it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rmae.visual.inline_svg import GRID, INK, MUTED, PIXEL, REGION, inline_svg


class Panel(NamedTuple):
    """A quantity to draw."""

    key: str
    """What `metrics.jsonl` calls it."""
    title: str
    """What the page calls it."""
    colour: str
    """One of `inline_svg`'s."""


PRETRAINING = (
    Panel("pixel_loss", "Pixel loss", PIXEL),
    Panel("region_loss", "Region loss", REGION),
    Panel("lr", "Learning rate", MUTED),
)
"""What a pre-training run logs."""

_SETTINGS: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
}


def training_curves(metrics: Sequence[Mapping[str, Any]], panels: Sequence[Panel]) -> str:
    """Draw quantities of a run against the number of updates.

    Args:
        metrics: The lines of `metrics.jsonl`; each has `update`, and any of the quantities. What is missing, None or
            not finite is left out.
        panels: The quantities, in the order to draw them.

    Returns:
        HTML: one SVG for each quantity that was logged, or a sentence if none was.
    """
    drawn = []
    for panel in panels:
        points = logged_values(metrics, panel.key)
        if points:
            drawn.append(_draw(panel, points))
    if not drawn:
        return "<p>No metrics have been logged yet, so there is nothing to draw.</p>"
    return f'<div class="curves">{"".join(drawn)}</div>'


def logged_values(metrics: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """The updates at which a quantity was logged, with its values.

    Args:
        metrics: The lines of `metrics.jsonl`.
        key: Name of the quantity.

    Returns:
        Pairs of update and value, in the order of the lines, without those that are missing, None or not finite.
    """
    pairs = ((line["update"], line.get(key)) for line in metrics)
    return [(update, value) for update, value in pairs if value is not None and math.isfinite(value)]


def _draw(panel: Panel, points: list[tuple[float, float]]) -> str:
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.4, 2.9), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        updates, values = zip(*points, strict=True)
        axes.plot(updates, values, color=panel.colour, linewidth=1.8, solid_capstyle="round")
        axes.plot(updates[-1:], values[-1:], color=panel.colour, marker="o", markersize=4.5)
        _dress(axes, panel)
        first, last = f"{values[0]:.4g} at update {updates[0]}", f"{values[-1]:.4g} at {updates[-1]}"
        return inline_svg(figure, prefix=panel.key, label=f"{panel.title} against update: {first}, {last}")


def _dress(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=10)
    axes.set_xlabel("update", color=INK)
    axes.set_facecolor("none")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK)
    axes.yaxis.get_offset_text().set_color(INK)
    axes.xaxis.get_offset_text().set_color(INK)
    axes.locator_params(nbins=5)
    for spine in axes.spines.values():
        spine.set_visible(False)
