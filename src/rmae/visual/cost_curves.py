"""What the variants of the region branch cost, drawn against the number of regions."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation

from rmae.files import write_atomically

_DPI = 160
_PADDING = 0.1  # inches to the edge of the figure
_FONT_SIZE = 9.5  # points
_LABEL_DISTANCE = 16  # points from the end of a line to its label
_LABEL_PITCH = 15  # points between the middles of labels that would otherwise overlap
_MIN_SPAN = 0.1  # of the cost axis, so that a fraction of a percent does not look like a mountain
_INK, _MUTED, _GRID = "#1a2130", "#5a6476", "#e1e5ec"
# Okabe and Ito's blue, vermilion, green and purple, darkened to be legible as text on white.
_LOOKS = (("#0068a8", "o"), ("#c44e00", "s"), ("#00785a", "^"), ("#a8477f", "D"))
_SVG_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "path",  # with the reader's fonts the labels could be wider than the room they are given
    "svg.hashsalt": "rmae",  # otherwise the ids would differ from one writing to the next
}


class CostCurve(NamedTuple):
    """What one variant costs for several numbers of regions."""

    name: str
    """Written at the end of the line."""
    num_regions: tuple[int, ...]
    """Regions an image, ascending, each at least 1."""
    cost: tuple[float, ...]
    """Cost as a multiple of MAE's, above 0, one for each number of regions."""


def draw_cost_curves(curves: Sequence[CostCurve], *, title: str, path: Path) -> None:
    """Draw what each variant costs against the number of regions, with MAE's own cost as a horizontal line.

    Args:
        curves: One to four lines.
        title: Stands above the drawing; a long one is broken into lines.
        path: File to write or to replace, the same bytes for the same input; its name ends in .png or .svg.

    Raises:
        ValueError: If the name of the file ends otherwise, or there are no curves or more than four.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ValueError(f"the file of cost curves is called {path.name!r}; its name must end in .png or .svg")
    figure = cost_figure(curves, title=title)
    file = io.BytesIO()
    with mpl.rc_context(_SVG_SETTINGS):
        figure.savefig(file, format=suffix[1:], metadata={"Title": title, "Date": None})
    write_atomically(path, file.getvalue())


def cost_figure(curves: Sequence[CostCurve], *, title: str) -> Figure:
    """Draw what `draw_cost_curves` writes.

    Args:
        curves: One to four lines.
        title: Stands above the drawing.

    Returns:
        A figure of 7 x 4.5 inches, laid out; the labels of its lines are the texts of its only axes.

    Raises:
        ValueError: If there are no curves or more than four.
    """
    if not 1 <= len(curves) <= len(_LOOKS):
        raise ValueError(f"found {len(curves)} cost curves; a drawing holds 1 to {len(_LOOKS)}")
    layout = ConstrainedLayoutEngine(h_pad=_PADDING, w_pad=_PADDING)
    figure = Figure(figsize=(7, 4.5), dpi=_DPI, facecolor="white", layout=layout)
    axes = figure.add_subplot()
    _dress(axes, curves, title=title)
    axes.axhline(1, color=_MUTED, linewidth=1.4, clip_on=False)
    labels = [_label(axes, "MAE", at=(axes.get_xlim()[1], 1), colour=_MUTED)]
    for curve, (colour, marker) in zip(curves, _LOOKS, strict=False):
        # Unclipped, as points may lie on the edge of the axes.
        axes.plot(*curve[1:], color=colour, marker=marker, markersize=7, markeredgecolor="white", clip_on=False)
        labels.append(_label(axes, curve.name, at=(curve.num_regions[-1], curve.cost[-1]), colour=colour))
    _move_apart(figure, axes, labels)
    return figure


def _dress(axes: Axes, curves: Sequence[CostCurve], *, title: str) -> None:
    numbers = sorted({number for curve in curves for number in curve.num_regions})
    costs = [1, *(cost for curve in curves for cost in curve.cost)]
    axes.set_xscale("log", base=2)
    # Labels stand right of the last number; a number by itself stands in the middle.
    axes.set_xlim(numbers[0] / 2**0.3, numbers[-1] * (2**0.3 if len(numbers) == 1 else 1))
    axes.set_xticks(numbers, [str(number) for number in numbers])
    lowest, highest = min(costs), max(costs)
    axes.set_ylim(lowest, lowest + 1.06 * max(highest - lowest, _MIN_SPAN))
    axes.set_title(title, loc="left", color=_INK, fontsize=12, fontweight="bold", pad=12, wrap=True)
    axes.set_xlabel("regions an image, R", color=_INK, fontsize=_FONT_SIZE, labelpad=8)
    axes.set_ylabel("multiply-accumulates of a training step, times MAE's", color=_INK, fontsize=_FONT_SIZE, labelpad=8)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=7, labelcolor=_INK, labelsize=_FONT_SIZE)
    axes.spines[:].set_visible(False)


def _label(axes: Axes, text: str, *, at: tuple[float, float], colour: str) -> Annotation:
    return axes.annotate(
        text,
        at,
        xytext=(_LABEL_DISTANCE, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        fontsize=_FONT_SIZE,
        fontweight="bold",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8, "relpos": (0, 0.5), "shrinkA": 2, "shrinkB": 0},
        path_effects=[withStroke(linewidth=3, foreground="white")],  # a longer line may pass behind it
    )


def _move_apart(figure: Figure, axes: Axes, labels: list[Annotation]) -> None:
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the axes stay where they are now: the labels are placed for them
    points = 72 / figure.dpi
    ends = np.array([axes.transData.transform(label.xy)[1] * points for label in labels])
    # Below lie the numbers of the axis, above lies the title.
    heights = _spread(ends, lowest=ends.min(), highest=axes.bbox.y1 * points)
    for label, end, height in zip(labels, ends, heights, strict=True):
        label.set_position((_LABEL_DISTANCE, height - end))


def _spread(wanted: np.ndarray, *, lowest: float, highest: float) -> np.ndarray:
    """Heights at least a pitch apart, in the order of those wanted and as near to them as can be."""
    order = np.argsort(wanted, kind="stable")
    steps = _LABEL_PITCH * np.arange(len(wanted))
    rest = wanted[order] - steps  # where this does not fall, heights are far enough apart
    # Isotonic regression by its max-min formula.
    n = len(rest)
    nearest = [max(min(rest[a:b].mean() for b in range(i + 1, n + 1)) for a in range(i + 1)) for i in range(n)]
    heights = np.empty(n)
    heights[order] = np.clip(nearest, lowest, highest - steps[-1]) + steps
    return heights
