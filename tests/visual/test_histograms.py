import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from rmae.visual.histograms import Inks, area_histogram, count_histogram, draw_areas, draw_counts
from rmae.visual.region_statistics import PATCH_SHARE

INKS = Inks(ground="#ffff00", bars="#0000ff", text="#000000", grid="#00ff00", mark="#ff0000")


def test_areas_are_counted_five_bins_to_a_power_of_ten() -> None:
    histogram = area_histogram(np.array([1.0, 0.7, 0.5, 0.05, 0.02]))
    np.testing.assert_allclose(histogram.edges, 10 ** (np.arange(-9, 1) / 5))  # 0.0158 is the first edge below 0.02
    # Edges 0.016 0.025 0.040 0.063 0.1 0.158 0.251 0.398 0.631 1
    assert histogram.counts.tolist() == [1, 0, 1, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("exponent", [0, -1, -2, -3, -7.4])
def test_no_area_is_lost_at_an_edge(exponent: float) -> None:
    areas = np.array([10.0**exponent, 1.0])
    histogram = area_histogram(areas)
    assert histogram.counts.sum() == 2
    assert histogram.counts[-1] >= 1


@pytest.mark.parametrize(
    ("counts", "edges", "heights"),
    [
        ([4], [3.5, 4.5], [1]),
        ([0, 2, 2, 3], [-0.5, 0.5, 1.5, 2.5, 3.5], [1, 0, 2, 1]),
        ([10, 39], None, [1, *[0] * 28, 1]),  # 30 numbers: still one each
        ([10, 40], None, [1, *[0] * 14, 1]),  # 31 numbers: two to a bin, the last one half empty
    ],
)
def test_numbers_of_regions_are_counted(counts: list[int], edges: list[float] | None, heights: list[int]) -> None:
    histogram = count_histogram(np.array(counts))
    assert histogram.counts.tolist() == heights
    if edges is not None:
        assert histogram.edges.tolist() == edges


def test_an_outlier_does_not_make_hundreds_of_bins() -> None:
    histogram = count_histogram(np.array([0, 1, 2, 5000]))
    assert len(histogram.counts) <= 30
    assert histogram.counts.tolist()[0] == 3
    assert histogram.counts.sum() == 4


def test_the_area_axis_is_logarithmic_in_percent_and_has_the_patch_on_it() -> None:
    figure = draw_areas(np.array([0.9, 0.95]), inks=INKS)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low < PATCH_SHARE < high == 1  # also where all regions are large
    figure.draw_without_rendering()
    ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    assert [label.get_text() for tick, label in ticks if low <= tick <= high] == ["0.1 %", "1 %", "10 %", "100 %"]
    (mark,) = axes.lines
    assert np.asarray(mark.get_xdata()).tolist() == [PATCH_SHARE, PATCH_SHARE]


@pytest.mark.parametrize("counts", [[1, 1, 1, 2], [424, 424, 424], [0, 0, 0, 900]])
def test_bars_are_as_high_as_the_counts_and_ticks_are_whole(counts: list[int]) -> None:
    figure = draw_counts(np.array(counts), inks=INKS)
    (axes,) = figure.axes
    figure.draw_without_rendering()
    (bars,) = axes.patches
    top = np.asarray(bars.get_path().vertices)[:, 1].max()
    assert top == 3
    for ticks in (axes.get_xticks(), axes.get_yticks()):
        assert len(ticks) > 0
        np.testing.assert_array_equal(ticks, np.round(ticks))


@pytest.mark.parametrize("counts", [[16], [16, 20], [0], [0, 3], [5, 16], [5, 17], [100, 900]])
def test_few_bars_do_not_fill_the_axis_and_none_is_cut(counts: list[int]) -> None:
    (axes,) = draw_counts(np.array(counts), inks=INKS).axes
    low, high = axes.get_xlim()
    assert high - low >= 12
    assert low < min(counts) < max(counts) + 0.5 <= high
    if min(counts) < 12:
        assert low >= -0.5 - 0.05 * (max(counts) + 1)  # no room for numbers below 0


def test_the_patch_is_told_from_bars_that_are_as_dark() -> None:
    figure = draw_areas(np.array([0.004, 0.005, 0.006]), inks=INKS._replace(mark=INKS.bars))
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=200)
    with Image.open(file) as picture:
        colours = np.asarray(picture.convert("RGB"))
    assert (colours == (0xFF, 0xFF, 0)).all(axis=-1).any(axis=1).mean() > 0.5  # a line in the colour of the ground


def test_bars_are_drawn_in_their_colour() -> None:
    figure = draw_counts(np.array([*range(12), *range(6)]), inks=INKS)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    with Image.open(file) as picture:
        colours = np.asarray(picture.convert("RGBA")).reshape(-1, 4)
    share = (colours == [0, 0, 255, 255]).all(axis=1).mean()
    assert share > 0.2
    assert (colours[:, 3] == 0).mean() > 0.2  # without ground of its own


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    draw_areas(np.array([0.2]), inks=INKS)
    draw_counts(np.array([1]), inks=INKS)
    assert dict(mpl.rcParams) == before
