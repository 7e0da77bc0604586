import re
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from rmae.visual.cost_curves import CostCurve, cost_figure, draw_cost_curves

NUMBERS = (1, 2, 4, 8, 16, 32, 64)
LENGTH = CostCurve("length", NUMBERS, (1.011, 1.013, 1.017, 1.024, 1.039, 1.07, 1.13))
BATCH = CostCurve("batch", NUMBERS, (1.012, 1.019, 1.033, 1.06, 1.12, 1.23, 1.46))
CHANNEL = CostCurve("channel", NUMBERS, (1.012, 1.013, 1.014, 1.017, 1.022, 1.032, 1.052))
CURVES = [LENGTH, BATCH, CHANNEL]
TITLE = "Cost of a training step"


def _ending(**costs: float) -> list[CostCurve]:
    return [CostCurve(name, (1, 64), (1.01, cost)) for name, cost in costs.items()]


def _drawn(figure: Figure) -> Axes:
    figure.draw_without_rendering()
    (axes,) = figure.axes
    return axes


def _label_boxes(axes: Axes) -> dict[str, Bbox]:
    # Without the line that leads to a label, which may touch its neighbours' lines.
    return {label.get_text(): Text.get_window_extent(label) for label in axes.texts}


def test_every_measured_point_has_a_marker_where_it_belongs() -> None:
    axes = _drawn(cost_figure(CURVES, title=TITLE))
    mae, *lines = axes.lines
    assert np.asarray(mae.get_ydata()).tolist() == [1, 1]
    for line, curve in zip(lines, CURVES, strict=True):
        assert np.asarray(line.get_xdata()).tolist() == list(curve.num_regions)
        assert np.asarray(line.get_ydata()).tolist() == list(curve.cost)
        assert not line.get_clip_on()
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 3


def test_regions_are_on_an_axis_of_powers_of_two_in_plain_numbers() -> None:
    axes = _drawn(cost_figure([LENGTH, CostCurve("batch", (3, 128), (1.1, 1.9))], title=TITLE))
    numbers = [1, 2, 3, 4, 8, 16, 32, 64, 128]
    assert axes.get_xscale() == "log"
    assert axes.get_xticks().tolist() == numbers
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(number) for number in numbers]
    assert len(axes.get_xticks(minor=True)) == 0


def test_costs_are_on_a_linear_axis_from_mae_up_to_the_highest() -> None:
    axes = _drawn(cost_figure(CURVES, title=TITLE))
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "linear"
    assert low == 1
    assert 1.46 < high < 1.5


def test_what_costs_less_than_mae_is_on_the_axis() -> None:
    axes = _drawn(cost_figure(_ending(length=0.7), title=TITLE))
    assert axes.get_ylim()[0] == 0.7


def test_the_cost_axis_has_plain_numbers_however_close_the_costs() -> None:
    axes = _drawn(cost_figure([CostCurve("channel", (16,), (1.0001,))], title=TITLE))
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert ticks[:6] == ["1.00", "1.02", "1.04", "1.06", "1.08", "1.10"]
    assert axes.yaxis.get_offset_text().get_text() == ""


def test_words_say_what_is_drawn() -> None:
    axes = _drawn(cost_figure(CURVES, title=TITLE))
    assert axes.get_title(loc="left") == TITLE
    assert axes.get_xlabel() == "regions an image, R"
    assert axes.get_ylabel() == "multiply-accumulates of a training step, times MAE's"
    assert axes.get_legend() is None


@pytest.mark.parametrize(
    "curves",
    [
        CURVES,
        _ending(length=1.130, batch=1.132, channel=1.135),
        _ending(length=1.5, batch=1.5, channel=1.5, other=1.5),
        _ending(length=1.0, batch=1.0, channel=1.001, other=1.002),
        _ending(length=0.7, batch=0.98, channel=0.99),
        [CostCurve("channel", (16,), (1.022,))],
        [*_ending(length=1.13), CostCurve("batch", (1, 32), (1.01, 1.13)), CostCurve("channel", (16,), (1.13,))],
        _ending(**{"length, with a decoder of eight blocks": 1.2, "batch": 1.2}),
    ],
    ids=["usual", "close", "highest", "lowest", "below", "one-point", "of-several-lengths", "long-name"],
)
def test_labels_neither_overlap_nor_leave_the_figure(curves: list[CostCurve]) -> None:
    figure = cost_figure(curves, title=TITLE)
    axes = _drawn(figure)
    boxes = _label_boxes(axes)
    assert set(boxes) == {"MAE", *(curve.name for curve in curves)}
    numbers = [label.get_window_extent() for label in axes.get_xticklabels()]
    for one, other in combinations([*boxes.values(), *numbers], 2):
        assert not one.overlaps(other)
    for box in boxes.values():
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert axes.bbox.y0 - 2 <= (box.y0 + box.y1) / 2 <= axes.bbox.y1 + 2  # pixels; clear of numbers and title


def test_labels_stand_in_the_order_of_the_ends_and_level_with_them_where_there_is_room() -> None:
    axes = _drawn(cost_figure(_ending(a=1.503, b=1.2, c=1.501, d=1.502), title=TITLE))
    middles = {name: (box.y0 + box.y1) / 2 for name, box in _label_boxes(axes).items()}
    assert sorted(middles, key=middles.__getitem__) == ["MAE", "b", "c", "d", "a"]
    for name, cost in (("MAE", 1), ("b", 1.2)):
        assert abs(middles[name] - axes.transData.transform((1, cost))[1]) < 2  # pixels


def test_a_long_title_is_not_cut_off() -> None:
    figure = cost_figure(CURVES, title=" ".join([TITLE] * 5))
    box = _drawn(figure).get_tightbbox()
    assert box is not None
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


def test_a_png_is_seven_by_four_and_a_half_inches_on_white(tmp_path: Path) -> None:
    path = tmp_path / "cost.PNG"
    draw_cost_curves(CURVES, title=TITLE, path=path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1120, 720)
        assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_an_svg_says_what_it_shows_and_needs_no_typeface(tmp_path: Path) -> None:
    path = tmp_path / "cost.svg"
    draw_cost_curves(CURVES, title=TITLE, path=path)
    svg = path.read_text()
    assert f"<title>{TITLE}</title>" in svg
    assert "<text" not in svg
    assert 'viewBox="0 0 504 324"' in svg  # points, of which there are 72 to the inch


@pytest.mark.parametrize("name", ["cost.png", "cost.svg"])
def test_the_same_curves_replace_a_file_by_the_same_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    draw_cost_curves(CURVES, title=TITLE, path=path)
    first = path.read_bytes()
    path.write_text("something else")
    draw_cost_curves(CURVES, title=TITLE, path=path)
    assert path.read_bytes() == first
    assert not re.search(rb"<dc:date>|tIME|Creation Time", first)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["cost.pdf", "cost"])
def test_a_file_of_another_kind_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^the file of cost curves is called '{name}'; its name must end in .png or"):
        draw_cost_curves(CURVES, title=TITLE, path=tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [0, 5])
def test_a_drawing_holds_one_to_four_curves(number: int) -> None:
    with pytest.raises(ValueError, match=rf"^found {number} cost curves; a drawing holds 1 to 4$"):
        cost_figure([LENGTH] * number, title=TITLE)


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw_cost_curves(CURVES, title=TITLE, path=tmp_path / "cost.svg")
    assert dict(mpl.rcParams) == before
