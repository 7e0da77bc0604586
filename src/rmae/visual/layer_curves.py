"""A score by layer: one line for each encoder with the interval around it, and single heads as dots."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rmae.visual.inline_svg import GRID, INK, MUTED, PIXEL, REGION, inline_svg

# The page's own two first; the others can be told apart from them, and seen on light and dark ground.
_COLOURS = (PIXEL, REGION, "#1f9e77", "#d98200", "#8d6fd1", "#7a8794")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_STYLES = ((0, (4, 3)), (0, (1, 2)), (0, (6, 2, 1, 2)))
_BAND = 0.18  # opacity
_DOT = 0.6
_LONGEST_NAME = 34  # letters
_WIDE, _PANEL = (8.2, 3.5), (4.4, 3.0)  # width and height in inches of what fills a card, and of several in it
_SETTINGS: dict[Any, Any] = {"font.size": 9.5}


class LayerCurve(NamedTuple):
    """A score of one encoder by layer."""

    name: str
    """What the legend calls it."""
    values: tuple[float, ...]
    """One a layer; NaN leaves a gap."""
    low: tuple[float, ...]
    """Lower ends of the intervals; NaN where there is none."""
    high: tuple[float, ...]
    """Upper ends."""
    heads: np.ndarray
    """The score of each head, shape (layers, heads) float."""


class Level(NamedTuple):
    """A score to set the curves against."""

    name: str
    value: float
    """NaN is left out."""


def layer_curves(curves: Sequence[LayerCurve], levels: Sequence[Level], *, score: str) -> str:
    """Draw a score by layer.

    Args:
        curves: At least one; each has a colour and a marker, which repeat after six.
        levels: Horizontal lines, at most three.
        score: What the score is called.

    Returns:
        HTML: one SVG in a card.
    """
    with mpl.rc_context(_SETTINGS):
        figure, axes = _figure(*_WIDE)
        for number, curve in enumerate(curves):
            colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
            layers = range(len(curve.values))
            axes.fill_between(layers, curve.low, curve.high, color=colour, alpha=_BAND, linewidth=0)
            axes.plot(
                layers,
                curve.values,
                color=colour,
                marker=marker,
                markersize=4.5,
                linewidth=1.8,
                label=_elide(curve.name),
            )
        _draw_levels(axes, levels)
        _dress(axes, score)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=3, frameon=False, labelcolor=INK, borderaxespad=0)
        label = f"{score} by layer. " + "; ".join(_in_words(curve) for curve in curves)
        svg = inline_svg(figure, prefix="layers", label=label)
    return f'<div class="curves">{svg}</div>\n'


def head_dots(curves: Sequence[LayerCurve], levels: Sequence[Level], *, score: str) -> str:
    """Draw the score of every single head by layer, in one panel for each encoder, with the line of their average map.

    Arguments are those of `layer_curves`.

    Returns:
        HTML: one SVG a curve in a card; all have the same axis.
    """
    known = [curve.heads[np.isfinite(curve.heads)] for curve in curves]
    values = np.concatenate([*known, [level.value for level in levels if math.isfinite(level.value)]])
    margin = 0.05 * max(np.ptp(values), 0.02) if len(values) else 0.0
    panels = []
    for number, curve in enumerate(curves):
        with mpl.rc_context(_SETTINGS):
            figure, axes = _figure(*(_WIDE if len(curves) == 1 else _PANEL))
            colour = _COLOURS[number % len(_COLOURS)]
            for head in curve.heads.T:
                axes.plot(
                    head, linestyle="none", marker="o", markersize=6.5, color=colour, alpha=_DOT, markeredgewidth=0
                )
            axes.plot(curve.values, color=colour, linewidth=1.8)
            _draw_levels(axes, levels)
            _dress(axes, score)
            if len(values):
                axes.set_ylim(values.min() - margin, values.max() + margin)
            axes.set_title(_elide(curve.name), loc="left", color=INK, fontsize=11, fontweight="bold", pad=10)
            panels.append(inline_svg(figure, prefix=f"heads{number}", label=f"{score} of heads: {_best_head(curve)}"))
    return f'<div class="curves">{"".join(panels)}</div>\n'


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure, figure.add_subplot()


def _draw_levels(axes: Axes, levels: Sequence[Level]) -> None:
    for level, style in zip(levels, _STYLES, strict=False):
        if math.isfinite(level.value):
            axes.axhline(level.value, color=MUTED, linewidth=1.2, linestyle=style, label=level.name)


def _dress(axes: Axes, score: str) -> None:
    axes.set_xlabel("layer", color=INK)
    axes.set_ylabel(score, color=INK)
    axes.set_facecolor("none")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.03)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _elide(name: str) -> str:
    """Shorten a long name in its middle: paths differ at their ends. A leading underscore would hide it."""
    half = (_LONGEST_NAME - 1) // 2
    short = name if len(name) <= _LONGEST_NAME else f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
    return f"\N{ZERO WIDTH SPACE}{short}" if short.startswith("_") else short


def _in_words(curve: LayerCurve) -> str:
    return f"{curve.name}: {', '.join(f'{value:.3f}' for value in curve.values)}"


def _best_head(curve: LayerCurve) -> str:
    if not np.isfinite(curve.heads).any():
        return f"{curve.name} has none that is defined"
    layer, head = np.unravel_index(np.nanargmax(curve.heads), curve.heads.shape)
    return f"the best of {curve.name} is head {head} of layer {layer} with {curve.heads[layer, head]:.3f}"
