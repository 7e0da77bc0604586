"""The report of one training run: a single page to open in a browser, to keep and to send."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import fmean, median
from typing import Any

from rmae.visual.curves import PRETRAINING, logged_values, training_curves
from rmae.visual.page import facts, folded, page, paragraph, section, tiles
from rmae.visual.picture_card import PictureCompletion, RegionCompletion, completion_card, region_legend

__all__ = ["PictureCompletion", "RegionCompletion", "Report", "render_report"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What a report shows."""

    title: str
    """Name of the run."""
    summary: Mapping[str, str] = field(default_factory=dict)
    """Facts by name, in the order to show them: preset, data, number of images, updates, and the like."""
    metrics: Sequence[Mapping[str, Any]] = ()
    """Lines of `metrics.jsonl`, oldest first; each has `update`."""
    pictures: tuple[PictureCompletion, ...] = ()
    """Pictures that the model completed."""
    normalized_pixels: bool = False
    """Whether the model predicts normalised patches, so that reconstructions borrow each true patch's mean and
    contrast; the page then says so."""
    num_skipped: int = 0
    """Images that could not be read in training."""
    config_json: str = "{}"
    """The whole configuration, as `config.json` has it."""


def render_report(report: Report) -> str:
    """Write a report as one self-contained HTML page.

    Args:
        report: What to show. Nothing in it is trusted: all of it is escaped.

    Returns:
        The document; it runs no script and loads nothing from outside.
    """
    return page(
        f"{report.title} · rmae",
        _head(report)
        + section("Training curves", _curves(report))
        + section("What the model completes", _completions(report))
        + section("Configuration", folded("Every setting of this run (config.json)", report.config_json)),
    )


def _head(report: Report) -> str:
    return (
        "<header>\n"
        + paragraph("rmae · pre-training report", style="eyebrow")
        + f"<h1>{escape(report.title)}</h1>\n"
        + paragraph(_lead(report), style="lead")
        + "</header>\n"
        + tiles(_key_figures(report))
        + facts(report.summary)
        + _skipped(report.num_skipped)
    )


def _lead(report: Report) -> str:
    pixels = any(picture.reconstruction is not None for picture in report.pictures)
    regions = any(picture.regions for picture in report.pictures)
    pixels = pixels or bool(logged_values(report.metrics, "pixel_loss"))
    regions = regions or bool(logged_values(report.metrics, "region_loss"))
    match pixels, regions:
        case True, False:
            task = "the hidden patches of a picture"
        case False, True:
            task = "the hidden parts of region maps"
        case _:
            task = "the hidden patches of a picture and of maps of its regions"
    return f"A Vision Transformer learned to fill in {task}: how training went, and what the model makes of pictures."


def _key_figures(report: Report) -> list[tuple[str, str, str]]:
    figures = []
    for key, name, note in (
        ("pixel_loss", "Final pixel loss", "squared error, hidden patches"),
        ("region_loss", "Final region loss", "region maps, hidden patches"),
    ):
        if values := logged_values(report.metrics, key):
            figures.append((name, f"{values[-1][1]:.3f}", note))
    scored = [region for picture in report.pictures for region in picture.regions if math.isfinite(region.iou_hidden)]
    if scored:
        iou = fmean(region.iou_hidden for region in scored)
        baseline = fmean(region.baseline_hidden for region in scored)
        count = "1 region" if len(scored) == 1 else f"{len(scored)} regions"
        figures.append(("Region IoU", f"{iou:.2f}", f"mean of {count}; baseline {baseline:.2f}"))
    if speeds := logged_values(report.metrics, "images_per_s"):
        speed = median(value for _, value in speeds)
        figures.append(("Images a second", f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}", "median over the run"))
    return figures


def _skipped(num_skipped: int) -> str:
    if num_skipped == 0:
        return ""
    found = "1 image" if num_skipped == 1 else f"{num_skipped:,} images"
    return paragraph(f"{found} could not be read and took no part; see skipped_images.jsonl.", style="notice")


def _curves(report: Report) -> str:
    return paragraph("One point for each line of metrics.jsonl; losses should fall.", style="hint") + training_curves(
        report.metrics, PRETRAINING
    )


def _completions(report: Report) -> str:
    pictures = report.pictures
    if not pictures:
        return paragraph("No pictures were completed for this report.")
    hint = "A part of each picture is hidden from the model, which fills it in from what it sees."
    if report.normalized_pixels and any(picture.reconstruction is not None for picture in pictures):
        hint += (
            " It predicts only the pattern inside a patch; for the reconstruction each hidden patch borrows the mean"
            " and the contrast of the true one."
        )
    legend = ""
    if any(picture.regions for picture in pictures):
        hint += (
            " A region is one coherent part of a picture; its map is hidden and completed in the same way, and what was"
            " visible of it is shown as it is. IoU is the overlap of the true and the predicted region, counted on"
            " hidden patches only: 1 is perfect. The baseline, a tick on the bar, is what calling every hidden pixel"
            " part of the region would reach."
        )
        legend = region_legend()
    return paragraph(hint, style="hint") + legend + "".join(completion_card(picture) for picture in pictures)
