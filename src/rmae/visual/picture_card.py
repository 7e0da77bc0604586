"""One picture and its regions as the model completed them, as a card of a page."""

import math
from dataclasses import dataclass
from html import escape

import numpy as np

from rmae.visual.figure_words import DASH, percent
from rmae.visual.page import figure
from rmae.visual.pictures import (
    HIDDEN_COLOUR,
    OUTLINE_COLOUR,
    REGION_RAMP,
    css_colour,
    draw_region,
    enlarge,
    hide_patches,
    to_display,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionCompletion:
    """A region map, what the model made of its visible part, and how well that fits."""

    true: np.ndarray
    """Shape (H, W) bool."""
    probability: np.ndarray
    """Shape (H, W) float32 in [0, 1]: how sure the model is that a pixel belongs to the region."""
    iou_hidden: float
    """Intersection over union of `true` and `probability` >= 0.5 on the hidden patches, in [0, 1]; NaN for a region
    without a hidden pixel, which is shown as a dash and left out of means."""
    baseline_hidden: float
    """The same for calling every hidden pixel part of the region, that is the region's share of them, in [0, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureCompletion:
    """A picture, what of it was hidden, and what the model made of the rest."""

    name: str
    """What the picture is called, for instance its path."""
    image: np.ndarray
    """Shape (M, H, W) float in [0, 1]."""
    hidden: np.ndarray
    """Shape (L,) bool in raster order, True where the image's patch was hidden."""
    region_hidden: np.ndarray
    """Shape (L,) bool in raster order, True where the regions' patch was hidden."""
    grid: tuple[int, int]
    """Rows and columns of patches; their product is L."""
    reconstruction: np.ndarray | None
    """Shape (M, H, W) float, visible patches pasted and per-patch normalisation undone; None = pixels not predicted."""
    regions: tuple[RegionCompletion, ...]
    """Empty where regions are not predicted."""


def completion_card(completion: PictureCompletion) -> str:
    """A card: the picture, its visible patches and its reconstruction, and below them the regions.

    Args:
        completion: What to show.

    Returns:
        HTML.
    """
    regions = "".join(
        _region_figures(completion, region, number) for number, region in enumerate(completion.regions, start=1)
    )
    return (
        f'<article class="card">\n<h3>{escape(completion.name)}</h3>\n'
        f'<div class="pictures">\n{_image_figures(completion)}</div>\n'
        + (f'<div class="regions">\n{regions}</div>\n' if regions else "")
        + "</article>\n"
    )


def region_legend() -> str:
    """A line that says what the colours of a region map mean, as HTML."""
    outside, unsure, inside = (css_colour(colour) for colour in REGION_RAMP)
    white = css_colour(OUTLINE_COLOUR)
    ramp = f"linear-gradient(90deg, {outside}, {unsure}, {inside})"
    line = f"linear-gradient({white}, {white}) center / 100% 3px no-repeat, {unsure}"
    entries = (
        (outside, "", "outside the region"),
        (inside, "", "inside"),
        (ramp, "wide", "predicted, from surely outside to surely inside"),
        (line, "", "probability 0.5"),
        (css_colour(HIDDEN_COLOUR), "", "hidden"),
    )
    swatches = (
        f'<li><i class="{style}" style="background: {colours}"></i>{text}</li>' for colours, style, text in entries
    )
    return f'<ul class="legend">{"".join(swatches)}</ul>\n'


def _image_figures(completion: PictureCompletion) -> str:
    name = completion.name
    photo = enlarge(to_display(completion.image))
    visible = hide_patches(photo, completion.hidden, completion.grid)
    share = percent(1 - completion.hidden.mean(), digits=0)
    figures = [
        figure(
            photo, alt=f"{name}: the picture", title="Picture", caption="As it is; the model did not see all of it."
        ),
        figure(
            visible,
            alt=f"{name}: the visible patches, hidden ones grey",
            title="Visible patches",
            caption=f"The model saw only these {share} of the patches.",
        ),
    ]
    if completion.reconstruction is not None:
        guess = enlarge(to_display(completion.reconstruction))
        caption = "The visible patches, and the guess of the model at all the others."
        figures.append(figure(guess, alt=f"{name}: the reconstruction", title="Reconstruction", caption=caption))
    return "".join(figures)


def _region_figures(completion: PictureCompletion, region: RegionCompletion, number: int) -> str:
    true = draw_region(region.true)
    visible = hide_patches(true, completion.region_hidden, completion.grid)
    share = percent(1 - completion.region_hidden.mean(), digits=0)
    alt = f"{completion.name}, region {number}"
    return (
        f'<section class="region"><h4>Region {number} {_score(region)}</h4>\n<div class="maps">\n'
        + figure(true, alt=f"{alt}: the true map", title="True map")
        + figure(visible, alt=f"{alt}: the visible part, hidden patches grey", title=f"Visible part ({share})")
        + figure(draw_region(region.probability), alt=f"{alt}: the predicted map", title="Predicted map")
        + "</div></section>\n"
    )


def _score(region: RegionCompletion) -> str:
    if not math.isfinite(region.iou_hidden):
        return f"<span>IoU {DASH} (no pixel of it was hidden)</span>"
    bar = (
        f'<span class="bar" aria-hidden="true"><i style="width: {region.iou_hidden:.1%}"></i>'
        f'<b style="left: {region.baseline_hidden:.1%}"></b></span>'
    )
    return f"<span>IoU {region.iou_hidden:.2f} (baseline {region.baseline_hidden:.2f})</span>{bar}"
