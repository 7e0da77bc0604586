"""The regions of a data set at a glance: a single page to open in a browser, to keep and to send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from rmae.visual.histograms import Inks, draw_areas, draw_counts
from rmae.visual.inline_svg import GRID, GROUND, INK, PIXEL, REGION, inline_svg
from rmae.visual.page import facts, large_figure, page, paragraph, section, tiles
from rmae.visual.region_pictures import RegionPicture, region_views
from rmae.visual.region_statistics import (
    RegionStatistics,
    find_fault,
    key_figures,
    region_areas,
    warnings_in_words,
)

__all__ = ["RegionPicture", "RegionSheet", "RegionStatistics", "render_region_page"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionSheet:
    """What a sheet of regions shows."""

    title: str
    """Name of the data set or of the store."""
    summary: Mapping[str, str] = field(default_factory=dict)
    """Facts by name, in the order to show them: source, its settings, and the like."""
    statistics: RegionStatistics
    """How many regions there are, and how large they are."""
    pictures: tuple[RegionPicture, ...] = ()
    """Pictures to show with their regions."""


def render_region_page(sheet: RegionSheet) -> str:
    """Write a sheet as one self-contained HTML page.

    Args:
        sheet: What to show. Nothing in it is trusted: all of it is escaped.

    Returns:
        The document; it runs no script and loads nothing from outside.
    """
    return page(
        f"{sheet.title} · rmae regions",
        _head(sheet) + section("How many and how large", _histograms(sheet.statistics)) + _pictures(sheet.pictures),
    )


def _head(sheet: RegionSheet) -> str:
    lead = "The parts into which pictures are divided for pre-training: what they look like, how many and how large."
    return (
        "<header>\n"
        + paragraph("rmae · regions", style="eyebrow")
        + f"<h1>{escape(sheet.title)}</h1>\n"
        + paragraph(lead, style="lead")
        + "</header>\n"
        + tiles(key_figures(sheet.statistics))
        + facts(sheet.summary)
        + "".join(paragraph(sentence, style="notice") for sentence in warnings_in_words(sheet.statistics))
    )


def _histograms(statistics: RegionStatistics) -> str:
    if statistics.areas.size == 0:
        return paragraph("No region was counted, so there is nothing to draw.")
    inks = Inks(ground=GROUND, bars=PIXEL, text=INK, grid=GRID, mark=REGION)
    counts, areas = draw_counts(statistics.regions_per_image, inks=inks), draw_areas(statistics.areas, inks=inks)
    told = ". ".join(f"{name}: {value} {note}" for name, value, note in key_figures(statistics))
    return (
        '<div class="curves">'
        + inline_svg(counts, prefix="counts", label=f"Histogram of regions an image. {told}")
        + inline_svg(areas, prefix="areas", label=f"Histogram of the area of the regions. {told}")
        + "</div>\n"
    )


def _pictures(pictures: tuple[RegionPicture, ...]) -> str:
    if not pictures:
        return section("Pictures", paragraph("No picture was chosen to be shown."))
    hint = (
        "Each colour is one region, to tell it from its neighbours; elsewhere the same colour is another region. What"
        " belongs to no region is dark grey. Regions that overlap stand in different maps. Click a picture to enlarge"
        " it."
    )
    cards = "".join(_card(picture) for picture in pictures)
    return section("Pictures", paragraph(hint, style="hint") + f'<div class="gallery">\n{cards}</div>\n')


def _card(picture: RegionPicture) -> str:
    views = region_views(picture)
    fault = find_fault(region_areas(picture.label_maps))
    figures = "".join(large_figure(view.image, alt=view.alt, title=view.title, caption=view.caption) for view in views)
    return (
        f'<article class="card{" wide" if len(views) > 2 else ""}">\n<h3>{escape(picture.name)}</h3>\n'
        + (paragraph(f"This picture has {fault.value}.", style="notice") if fault else "")
        + f'<div class="views">\n{figures}</div>\n</article>\n'
    )
