"""The page about one downstream evaluation: scores, curves, tables, and predictions beside the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np

from rmae.visual.curves import Panel, training_curves
from rmae.visual.inline_svg import MUTED, PIXEL, REGION
from rmae.visual.page import facts, figure, folded, page, paragraph, section, table, tiles


class ExampleFigure(NamedTuple):
    """One view of a picture."""

    image: np.ndarray
    """Shape (H, W, 3) uint8; it is shown as a JPEG, with slight losses."""
    title: str
    """A few words."""
    caption: str = ""
    """A sentence, or nothing."""


class Example(NamedTuple):
    """One picture of the validation part, with what was predicted of it."""

    name: str
    """What the picture is called, for instance its path."""
    figures: tuple[ExampleFigure, ...]
    """Views of it side by side: the picture, the truth, the prediction."""
    note: str = ""
    """A sentence below them, or nothing."""


class Plot(NamedTuple):
    """A drawing of figures."""

    heading: str
    hint: str
    """What it shows."""
    svg_html: str
    """The drawing, as HTML that is taken as it stands."""


class Table(NamedTuple):
    """Figures by class, say."""

    heading: str
    hint: str
    """What the figures mean."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Of each row its cells, as many as there are columns; the first names it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationReport:
    """What the page shows."""

    title: str
    """Task and encoder."""
    lead: str
    """A sentence on what was done."""
    summary: Mapping[str, str] = field(default_factory=dict)
    """Facts by name, in the order to show them."""
    scores: Sequence[tuple[str, str, str]] = ()
    """Of each score its name, its value, and a few words on what it means."""
    metrics: Sequence[Mapping[str, Any]] = ()
    """Lines of `metrics.jsonl`, oldest first; empty where nothing was trained."""
    curves: tuple[tuple[str, str], ...] = ()
    """Of each quantity to draw what `metrics.jsonl` calls it, and a title."""
    tables: tuple[Table, ...] = ()
    """In the order to show them."""
    plots: tuple[Plot, ...] = ()
    """Drawings between the tables and the examples, in the order to show them."""
    legend: tuple[tuple[str, str], ...] = ()
    """What colours in the examples mean: of each a colour as a style sheet writes it, and a few words."""
    examples: tuple[Example, ...] = ()
    """Pictures with predictions."""
    example_heading: str = "Predictions"
    """What stands above them."""
    example_hint: str = ""
    """How to read them."""
    config_json: str = "{}"
    """The whole configuration, as `config.json` has it."""
    num_skipped: int = 0
    """Pictures that could not be read in training."""


def render_evaluation_report(report: EvaluationReport) -> str:
    """Write a report as one self-contained HTML page.

    Args:
        report: What to show. Nothing in it is trusted but the drawings: all of it is escaped.

    Returns:
        The document; it runs no script and loads nothing from outside.
    """
    return page(
        f"{report.title} · rmae",
        _head(report)
        + _curves(report)
        + "".join(_table(shown) for shown in report.tables)
        + "".join(_plot(shown) for shown in report.plots)
        + _examples(report)
        + section("Configuration", folded("Every setting of this evaluation (config.json)", report.config_json)),
    )


def _head(report: EvaluationReport) -> str:
    skipped = ""
    if report.num_skipped:
        found = "1 picture" if report.num_skipped == 1 else f"{report.num_skipped:,} pictures"
        skipped = paragraph(f"{found} could not be read in training; see skipped_images.jsonl.", style="notice")
    return (
        "<header>\n"
        + paragraph("rmae · downstream evaluation", style="eyebrow")
        + f"<h1>{escape(report.title)}</h1>\n"
        + paragraph(report.lead, style="lead")
        + "</header>\n"
        + tiles(list(report.scores))
        + facts(report.summary)
        + skipped
    )


def _curves(report: EvaluationReport) -> str:
    if not report.metrics:
        return ""
    colours = (PIXEL, REGION, MUTED)
    panels = [Panel(key, title, colours[i % len(colours)]) for i, (key, title) in enumerate(report.curves)]
    return section("Training curves", training_curves(report.metrics, panels))


def _table(shown: Table) -> str:
    return section(shown.heading, paragraph(shown.hint, style="hint") + table(shown.columns, shown.rows))


def _plot(shown: Plot) -> str:
    return section(shown.heading, paragraph(shown.hint, style="hint") + shown.svg_html)


def _examples(report: EvaluationReport) -> str:
    if not report.examples:
        return ""
    swatches = (
        f'<li><i style="background: {escape(colour)}"></i>{escape(words)}</li>' for colour, words in report.legend
    )
    legend = f'<ul class="legend">{"".join(swatches)}</ul>\n' if report.legend else ""
    cards = "".join(_card(example) for example in report.examples)
    return section(
        report.example_heading,
        paragraph(report.example_hint, style="hint") + legend + f'<div class="examples">{cards}</div>\n',
    )


def _card(example: Example) -> str:
    views = "".join(
        figure(
            view.image,
            alt=f"{example.name}: {view.title}",
            title=view.title,
            caption=view.caption,
            is_photograph=True,
        )
        for view in example.figures
    )
    note = paragraph(example.note, style="hint") if example.note else ""
    name = escape(example.name)
    return f'<article class="card">\n<h3>{name}</h3>\n<div class="views">\n{views}</div>\n{note}</article>\n'
