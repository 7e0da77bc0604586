"""Histograms of regions: how large they are, and how many an image has."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from rmae.visual.region_statistics import PATCH_SHARE

_BINS_PER_DECADE = 5
_MAX_BINS = 30
_MIN_SPAN = 12  # numbers on the axis of counts, so that a single bar does not fill it
_FONT_SIZE = 9.5  # points


class Histogram(NamedTuple):
    """Values counted in bins."""

    edges: np.ndarray
    """Shape (n + 1,) float, ascending. A bin holds its lower edge and not its upper one, the last bin both."""
    counts: np.ndarray
    """Shape (n,) int."""


class Inks(NamedTuple):
    """Colours of a histogram, as matplotlib understands them."""

    ground: str
    """Of what the histogram stands on."""
    bars: str
    text: str
    grid: str
    mark: str
    """Of the line that marks the size of a patch."""


def area_histogram(areas: np.ndarray) -> Histogram:
    """Count regions by area, in five bins for each power of ten.

    Args:
        areas: Shape (n,) float in (0, 1], n >= 1: share of its image that each region covers.

    Returns:
        Bins from an edge below the smallest area up to 1, the whole picture.
    """
    num_bins = math.floor(-math.log10(areas.min()) * _BINS_PER_DECADE) + 1
    edges = 10.0 ** (np.arange(-num_bins, 1) / _BINS_PER_DECADE)
    return Histogram(edges, np.histogram(areas, edges)[0])


def count_histogram(counts: np.ndarray) -> Histogram:
    """Count images by their number of regions, in at most 30 bins of equal width.

    Args:
        counts: Shape (n,) int, n >= 1: number of regions of each image.

    Returns:
        Bins whose width is a whole number; an edge half below each first number.
    """
    lowest, highest = int(counts.min()), int(counts.max())
    width = -(-(highest - lowest + 1) // _MAX_BINS)
    num_bins = -(-(highest - lowest + 1) // width)
    edges = lowest - 0.5 + width * np.arange(num_bins + 1)
    return Histogram(edges, np.histogram(counts, edges)[0])


def draw_areas(areas: np.ndarray, *, inks: Inks) -> Figure:
    """Draw how many regions there are of each area, on a logarithmic axis with a mark at the size of a patch.

    Args:
        areas: As `area_histogram` takes them.
        inks: Colours.

    Returns:
        A figure without ground of its own.
    """
    histogram = area_histogram(areas)
    figure, axes = _draw(histogram, inks, title="Area of the regions")
    axes.set_xscale("log")
    axes.set_xlim(0.8 * min(histogram.edges[0], 0.001), 1)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    highest = histogram.counts.max()
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= highest])
    axes.set_ylim(0, 1.18 * highest)  # room above bars and grid for the words beside the mark
    apart = withStroke(linewidth=4, foreground=inks.ground)  # bars and mark may be equally dark
    axes.axvline(PATCH_SHARE, color=inks.mark, linewidth=1.6, path_effects=[apart])
    place = ("data", "axes fraction")
    axes.annotate(
        "one patch ", (PATCH_SHARE, 1), xycoords=place, ha="right", va="top", color=inks.mark, fontsize=_FONT_SIZE
    )
    axes.set_xlabel("share of the picture", color=inks.text, fontsize=_FONT_SIZE)
    axes.set_ylabel("regions", color=inks.text, fontsize=_FONT_SIZE)
    return figure


def draw_counts(counts: np.ndarray, *, inks: Inks) -> Figure:
    """Draw how many images have each number of regions.

    Args:
        counts: As `count_histogram` takes them.
        inks: Colours.

    Returns:
        A figure without ground of its own.
    """
    histogram = count_histogram(counts)
    figure, axes = _draw(histogram, inks, title="Regions an image")
    low, high = histogram.edges[[0, -1]]
    if high - low < _MIN_SPAN:
        low = max(-0.5, (low + high - _MIN_SPAN) / 2)
        axes.set_xlim(low, low + _MIN_SPAN)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.set_xlabel("regions", color=inks.text, fontsize=_FONT_SIZE)
    axes.set_ylabel("images", color=inks.text, fontsize=_FONT_SIZE)
    return figure


def _draw(histogram: Histogram, inks: Inks, *, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 2.9), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    edges, counts = histogram
    axes.stairs(counts, edges, fill=True, color=inks.bars, linewidth=0)
    axes.set_title(title, loc="left", color=inks.text, fontsize=11, fontweight="bold", pad=10)
    axes.set_facecolor("none")
    axes.grid(axis="y", color=inks.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=inks.text, labelsize=_FONT_SIZE)
    axes.tick_params(axis="x", pad=7)  # below the 0 of the other axis
    axes.yaxis.set_major_locator(_whole_numbers())
    axes.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    axes.spines[:].set_visible(False)
    return figure, axes


def _whole_numbers() -> MaxNLocator:
    # By itself it falls back on fractions where a histogram has one bin only.
    return MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
