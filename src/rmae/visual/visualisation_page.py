"""What models make of pictures, as one page: a card a picture, and on it the ways to look at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from rmae.visual.heat_maps import draw_heat_map
from rmae.visual.page import facts, folded, large_figure, page, paragraph, section, table
from rmae.visual.pictures import css_colour, jpeg_data_uri

_STYLE = """
.strip {
  display: grid; gap: 8px 18px; margin-top: 18px; grid-template-columns: repeat(var(--columns), minmax(0, 1fr));
}
.strip > div { display: grid; grid-row: span var(--rows); grid-template-rows: subgrid; }
.strip h5 { margin: 0; align-self: end; font-size: 0.88rem; font-weight: 600; }
.strip .zoom { max-height: 480px; }
.strip .zoom img { object-fit: contain; object-position: left top; }
.strip .zoom input:checked + img { object-position: center; }
.strip figcaption, .folded figcaption { margin-top: 5px; font-size: 0.83rem; font-variant-numeric: tabular-nums; }
.strip strong { display: block; overflow-wrap: anywhere; font-weight: 500; }
.strip span { white-space: pre-line; }
.part { margin-top: 30px; padding-top: 20px; border-top: 1px solid var(--line); }
h3 + .part { margin-top: 0; padding-top: 0; border-top: 0; }
.part > header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 24px; }
.part h4 { font-size: 1.05rem; }
.part .notice { margin-top: 12px; }
.part .legend { margin: 0; font-size: 0.8rem; color: var(--muted); gap: 4px 16px; }
.part .legend i { width: 14px; height: 14px; }
.part .legend .wide { width: 56px; }
.part details { box-shadow: none; padding: 0; margin-top: 14px; }
.folded { display: grid; gap: 16px; margin-top: 12px; }
.folded .zoom { max-height: none; }
.hints {
  display: grid; gap: 18px 36px; margin-top: 30px;
  grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr));
}
.hints h3 { font-size: 0.95rem; margin-bottom: 4px; }
.hints p { font-size: 0.9rem; margin: 0; }
.contents {
  display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); margin-top: 28px;
}
.contents a { color: inherit; font-size: 0.8rem; text-decoration: none; overflow-wrap: anywhere; }
.contents img { display: block; width: 100%; height: 84px; object-fit: cover; border-radius: 8px; margin-bottom: 4px; }
@media (max-width: 820px) {
  .strip { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
"""
_THUMB_SIDE = 220  # pixels
_FEWEST_COLUMNS, _MOST_COLUMNS = 3, 5  # in a row of a strip; what is more goes on below
_LEGEND_STOPS = 7


class View(NamedTuple):
    """One picture to look at."""

    file: str
    """Where it stands as a PNG, relative to the page."""
    image: np.ndarray
    """Shape (H, W, 3) uint8."""
    title: str
    """A few words."""
    caption: str = ""
    """A few figures, or nothing."""


class Column(NamedTuple):
    """Views that stand below each other."""

    heading: str
    """A few words, or nothing."""
    views: tuple[View | None, ...]
    """From the top; None leaves a place empty."""


class Strip(NamedTuple):
    """Columns side by side; views of one row have one shape."""

    columns: tuple[Column, ...]
    heading: str = ""
    """A few words above the first column, or nothing."""


class Part(NamedTuple):
    """One way to look at a picture."""

    heading: str
    strips: tuple[Strip, ...]
    notes: tuple[str, ...] = ()
    """Sentences, of what cannot be shown say."""
    folded: tuple[tuple[str, tuple[View, ...]], ...] = ()
    """Views that open on a click, below a few words each."""
    legend_html: str = ""
    """What its colours mean."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureLook:
    """What models make of one picture."""

    name: str
    """What it is called, for instance its path."""
    image: np.ndarray
    """The picture, shape (H, W, 3) uint8."""
    parts: tuple[Part, ...]
    """In the order to show them."""

    def views(self) -> list[View]:
        """All that is to be seen; what stands in several parts, several times."""
        columns = [column for part in self.parts for strip in part.strips for column in strip.columns]
        folded = [views for part in self.parts for _, views in part.folded]
        return [
            view for views in (*(column.views for column in columns), *folded) for view in views if view is not None
        ]


class PictureHtml(NamedTuple):
    """A picture's card, drawn; it holds no array any more."""

    name: str
    thumb_html: str
    card_html: str


class Hint(NamedTuple):
    """How to read one of the parts."""

    heading: str
    sentences: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Visualisation:
    """What the page shows."""

    title: str
    """What is looked at: names of models."""
    lead: str
    """A sentence on what is to be seen."""
    summary: Mapping[str, str] = field(default_factory=dict)
    """Facts by name, in the order to show them."""
    notes: Sequence[str] = ()
    """What is left out, and why."""
    columns: tuple[str, ...] = ()
    """Head of a table of figures; the first names its rows."""
    rows: Sequence[Sequence[str]] = ()
    """Of each row its cells; no row = no table."""
    table_hint: str = ""
    """What the figures mean."""
    hints: Sequence[Hint] = ()
    """How to read the parts."""
    pictures: Sequence[PictureHtml] = ()
    """The cards."""
    record_json: str = "{}"
    """All settings and figures."""


def draw_card(look: PictureLook, number: int) -> PictureHtml:
    """Draw the card of a picture.

    Args:
        look: What to show. Nothing in it is trusted: all of it is escaped.
        number: Which picture of the page it is, from 1 on.

    Returns:
        HTML with all views inside, as JPEGs.
    """
    parts = "".join(_part(look.name, part) for part in look.parts)
    card = f'<article class="card" id="picture-{number}">\n<h3>{escape(look.name)}</h3>\n{parts}</article>\n'
    scale = min(1.0, _THUMB_SIDE / max(look.image.shape[:2]))
    size = tuple(max(1, round(side * scale)) for side in look.image.shape[1::-1])
    thumb = np.asarray(Image.fromarray(look.image).resize((size[0], size[1]), Image.Resampling.LANCZOS))
    return PictureHtml(
        look.name,
        f'<a href="#picture-{number}"><img src="{jpeg_data_uri(thumb)}" alt="">{escape(look.name)}</a>\n',
        card,
    )


def render_visualisation(shown: Visualisation) -> str:
    """Write the page, self-contained.

    Args:
        shown: What to show. Nothing in it is trusted but what is named html: all else is escaped.

    Returns:
        The document; it runs no script and loads nothing from outside.
    """
    contents = "".join(picture.thumb_html for picture in shown.pictures)
    contents = f'<nav class="contents" aria-label="Pictures">\n{contents}</nav>\n' if len(shown.pictures) > 1 else ""
    figures = ""
    if shown.rows:
        figures = section("In figures", paragraph(shown.table_hint, style="hint") + table(shown.columns, shown.rows))
    hints = "".join(
        f"<div><h3>{escape(hint.heading)}</h3>\n{paragraph(hint.sentences, style='hint')}</div>\n"
        for hint in shown.hints
    )
    return page(
        f"{shown.title} · rmae visualize",
        f"<style>{_STYLE}</style>\n"
        + _head(shown)
        + contents
        + f'<div class="hints">\n{hints}</div>\n'
        + "".join(picture.card_html for picture in shown.pictures)
        + figures
        + section("Settings", folded("Every setting and figure of this page (visualization.json)", shown.record_json)),
    )


def heat_legend() -> str:
    """A line that says what the colours of a heat map mean, as HTML."""
    middle = np.full((1, _LEGEND_STOPS, 3), 128, np.uint8)
    colours = draw_heat_map(np.linspace(0, 1, _LEGEND_STOPS)[None], middle)[0].tolist()
    ramp = ", ".join(css_colour((red, green, blue)) for red, green, blue in colours)
    return (
        f'<ul class="legend"><li><i class="wide" style="background: linear-gradient(90deg, {ramp})"></i>'
        "from no attention to the most that any patch gets</li></ul>\n"
    )


def _head(shown: Visualisation) -> str:
    return (
        "<header>\n"
        + paragraph("rmae · visualize", style="eyebrow")
        + f"<h1>{escape(shown.title)}</h1>\n"
        + paragraph(shown.lead, style="lead")
        + "</header>\n"
        + facts(shown.summary)
        + "".join(paragraph(note, style="notice") for note in shown.notes)
    )


def _part(name: str, part: Part) -> str:
    notes = "".join(paragraph(note, style="notice") for note in part.notes)
    strips = "".join(_strip(name, strip) for strip in part.strips)
    opened = "".join(
        f'<details><summary>{escape(words)}</summary><div class="folded">\n'
        + "".join(_figure(name, view) for view in views)
        + "</div></details>\n"
        for words, views in part.folded
    )
    header = f"<header><h4>{escape(part.heading)}</h4>{part.legend_html}</header>"
    return f'<section class="part">{header}\n{notes}{strips}{opened}</section>\n'


def _strip(name: str, strip: Strip) -> str:
    num_rows = 1 + max(len(column.views) for column in strip.columns)
    columns = ""
    for number, column in enumerate(strip.columns):
        heading = column.heading or ("" if number else strip.heading)
        columns += f"<div><h5>{escape(heading)}</h5>\n"
        for view in column.views:
            columns += "<span></span>\n" if view is None else _figure(name, view, strip.heading, column.heading)
        columns += "</div>\n"
    num_columns = min(max(_FEWEST_COLUMNS, len(strip.columns)), _MOST_COLUMNS)
    return f'<div class="strip" style="--columns: {num_columns}; --rows: {num_rows}">\n{columns}</div>\n'


def _figure(name: str, view: View, *headings: str) -> str:
    shown = ", ".join(words for words in (*headings, view.title) if words)
    return large_figure(view.image, alt=f"{name}: {shown}", title=view.title, caption=view.caption)
