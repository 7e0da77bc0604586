import re

import matplotlib as mpl
from matplotlib.figure import Figure

from rmae.visual.inline_svg import GRID, GROUND, INK, MUTED, PIXEL, REGION, inline_svg


def _drawing() -> Figure:
    figure = Figure(figsize=(2, 2))
    axes = figure.add_subplot()
    for number, colour in enumerate((PIXEL, REGION, MUTED, INK, GRID, GROUND)):
        axes.plot([0, 1], [number, number + 1], color=colour)
    return figure


def test_colours_come_from_the_page() -> None:
    svg = inline_svg(_drawing(), prefix="a", label="lines")
    assert "#00f1" not in svg
    for colour in ("var(--pixel)", "var(--region)", "var(--muted)", "var(--line)", "var(--card)", "currentColor"):
        assert colour in svg


def test_it_starts_as_html_allows_and_says_what_it_shows() -> None:
    svg = inline_svg(_drawing(), prefix="a", label='a "b" <c>')
    assert svg.startswith('<svg role="img" aria-label="a &quot;b&quot; &lt;c&gt;"')


def test_ids_of_two_drawings_differ_and_every_reference_has_its_id() -> None:
    html = inline_svg(_drawing(), prefix="a", label="") + inline_svg(_drawing(), prefix="b", label="")
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert ids
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:href="|url\()#([^")]+)', html)
    assert references
    assert set(references) <= set(ids)


def test_it_is_the_same_each_time_and_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    assert inline_svg(_drawing(), prefix="a", label="") == inline_svg(_drawing(), prefix="a", label="")
    assert dict(mpl.rcParams) == before
