"""Training curves as inline SVG that follows the colours of the page around it."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure


class _Panel(NamedTuple):
    key: str
    title: str
    colour: str


_PANELS = (
    _Panel("pixel_loss", "Pixel loss", "#00f101"),
    _Panel("region_loss", "Region loss", "#00f102"),
    _Panel("lr", "Learning rate", "#00f103"),
)
_INK, _GRID = "#00f104", "#00f105"

# matplotlib writes fixed colours only; these stand in for the ones that the page's style sheet sets, light or dark.
_PAGE_COLOURS = {
    "#00f101": "var(--pixel)",
    "#00f102": "var(--region)",
    "#00f103": "var(--muted)",
    _INK: "currentColor",
    _GRID: "var(--line)",
}

_SVG_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "rmae",  # otherwise the ids, and so the page, would differ from one writing to the next
    "font.size": 9.5,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
}


def loss_curves(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Draw each loss and the learning rate against the number of updates.

    Args:
        metrics: The lines of `metrics.jsonl`; each has `update`, and any of `pixel_loss`, `region_loss` and `lr`. What
            is missing, None or not finite is left out.

    Returns:
        HTML: one SVG for each quantity that was logged, or a sentence if none was.
    """
    drawn = []
    for panel in _PANELS:
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


def _draw(panel: _Panel, points: list[tuple[float, float]]) -> str:
    with mpl.rc_context(_SVG_SETTINGS):
        figure = Figure(figsize=(4.4, 2.9), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        updates, values = zip(*points, strict=True)
        axes.plot(updates, values, color=panel.colour, linewidth=1.8, solid_capstyle="round")
        axes.plot(updates[-1:], values[-1:], color=panel.colour, marker="o", markersize=4.5)
        _dress(axes, panel)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    label = f"{panel.title} against update: {values[0]:.4g} at update {updates[0]}, {values[-1]:.4g} at {updates[-1]}"
    return _inline(file.getvalue(), prefix=panel.key, label=label)


def _dress(axes: Axes, panel: _Panel) -> None:
    axes.set_title(panel.title, loc="left", color=_INK, fontsize=11, fontweight="bold", pad=10)
    axes.set_xlabel("update", color=_INK)
    axes.set_facecolor("none")
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=_INK)
    axes.yaxis.get_offset_text().set_color(_INK)
    axes.xaxis.get_offset_text().set_color(_INK)
    axes.locator_params(nbins=5)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _inline(svg: str, *, prefix: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]  # without the XML declaration and document type, which HTML does not allow here
    for stand_in, colour in _PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    # Several drawings share one page, where every id must be unique.
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
