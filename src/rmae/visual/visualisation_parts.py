"""The parts of a picture's card: from what models gave to views side by side."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.visual.figure_words import DASH, rough_percent
from rmae.visual.head_sheet import draw_heads
from rmae.visual.heat_maps import draw_heat_map, spread_evenly
from rmae.visual.picture_card import region_legend
from rmae.visual.squeezed_pictures import draw_squeezed_region, highlight_region, show_squeezed, show_visible
from rmae.visual.visualisation_page import Column, Part, Strip, View, heat_legend

_ROUNDING = 1e-6  # of sums of shares


class Author(NamedTuple):
    """Which model something comes from."""

    name: str
    """What it is called on the page."""
    key: str
    """What it is called in names of files; each model has its own."""


class Reconstruction(NamedTuple):
    """What a model made of a picture of which it saw a part."""

    author: Author
    ratio: float
    """Share of the patches that was to be hidden."""
    seen: np.ndarray
    """The whole picture at the model's size, shape (h, w, 3) uint8."""
    hidden: np.ndarray
    """Shape (rows, columns) bool, True where the patch was hidden; rows and columns divide h and w."""
    guess: np.ndarray
    """Shape (h, w, 3) uint8, visible patches as they are."""
    error: float
    """Root mean square over the hidden patches, as a share of the range from black to white as it is shown."""
    baseline: float
    """The same for a guess without detail."""


class RegionGuess(NamedTuple):
    """What a model made of a region map of which it saw a part."""

    author: Author
    number: int
    """Which region of the picture, from 0 on."""
    ratio: float
    """Share of the patches that was to be hidden."""
    region: np.ndarray
    """The true map at the model's size, shape (h, w) bool."""
    hidden: np.ndarray
    """Shape (rows, columns) bool, True where the patch was hidden."""
    probability: np.ndarray
    """Shape (h, w) float in [0, 1], visible patches as they are."""
    iou: float
    """Intersection over union on the hidden patches; NaN where no pixel of the region was hidden."""
    baseline: float
    """The same for calling every hidden pixel part of the region."""


class Attention(NamedTuple):
    """Where a patch looks."""

    author: Author
    query: tuple[int, int]
    """Row and column of the patch that asks."""
    heads: np.ndarray
    """Share of its attention that each head gives to each patch, shape (num_heads, rows, columns)."""
    class_share: float | None
    """Share that the class token gets, mean over heads; None without one."""
    register_share: float
    """Share that registers get, mean over heads; 0 without any."""


class Features(NamedTuple):
    """Features as colours."""

    author: Author
    colours: np.ndarray
    """Shape (rows, columns, 3) uint8."""
    share: float
    """Share of the features' variance that the colours show, in [0, 1]."""


def reconstruction_part(photo: View, found: Sequence[Reconstruction], folder: str) -> Part:
    """Show reconstructions: a column for each ratio, on top what was seen, below it what models made of it.

    Args:
        photo: The picture.
        found: In the order to show ratios, and models of each ratio; at least one.
        folder: Of the picture's files.

    Returns:
        One strip.
    """
    size_hw = _size(photo)
    columns = [Column("", (photo,))]
    for ratio in dict.fromkeys(each.ratio for each in found):
        views: list[View | None] = []
        shown: list[np.ndarray] = []
        for each in (each for each in found if each.ratio == ratio):
            if not any(_same_mask(each.hidden, hidden) for hidden in shown):
                name = f"{folder}/visible-{_in_name(ratio)}-{each.author.key}.png"
                views.append(
                    View(name, show_visible(each.seen, each.hidden, size_hw), "Visible patches", _count(each.hidden))
                )
                shown.append(each.hidden)
            name = f"{folder}/reconstruction-{_in_name(ratio)}-{each.author.key}.png"
            caption = f"error {rough_percent(each.error)}, flat guess {rough_percent(each.baseline)}"
            views.append(View(name, show_squeezed(each.guess, size_hw), each.author.name, caption))
        columns.append(Column(f"{rough_percent(ratio)} hidden", tuple(views)))
    return Part("Reconstructions", (Strip(tuple(columns)),))


def region_part(photo: View, regions: np.ndarray, found: Sequence[RegionGuess], folder: str) -> Part:
    """Show completed regions: a strip for each region, in it a column for each ratio.

    Args:
        photo: The picture, shape (H, W, 3).
        regions: The true maps, shape (R, H, W) bool.
        found: In the order to show ratios, and models of each ratio.
        folder: Of the picture's files.

    Returns:
        R strips.
    """
    size_hw = _size(photo)
    strips = []
    for number, region in enumerate(regions):
        prefix = f"{folder}/region-{number + 1}"
        whole = View(
            f"{prefix}.png",
            highlight_region(photo.image, region),
            "The region",
            f"{rough_percent(float(region.mean()))} of the picture",
        )
        of_region = [each for each in found if each.number == number]
        columns = [Column("", (whole,))]
        for ratio in dict.fromkeys(each.ratio for each in of_region):
            views: list[View | None] = []
            shown: list[np.ndarray] = []
            for each in (each for each in of_region if each.ratio == ratio):
                if not any(_same_mask(each.hidden, hidden) for hidden in shown):
                    name = f"{prefix}-visible-{_in_name(ratio)}-{each.author.key}.png"
                    drawn = draw_squeezed_region(each.region, size_hw, hidden=each.hidden)
                    views.append(View(name, drawn, "Visible part of its map", _visible_share(each)))
                    shown.append(each.hidden)
                name = f"{prefix}-completed-{_in_name(ratio)}-{each.author.key}.png"
                drawn = draw_squeezed_region(each.probability, size_hw)
                views.append(View(name, drawn, each.author.name, _iou_in_words(each)))
            columns.append(Column(f"{rough_percent(ratio)} hidden", tuple(views)))
        strips.append(Strip(tuple(columns), heading=f"Region {number + 1}"))
    return Part("Regions", tuple(strips), legend_html=region_legend())


def attention_part(photo: View, found: Sequence[Sequence[Attention]], folder: str) -> Part:
    """Show attention: a column for each patch that asks, in it a heat map for each encoder; each head on a click.

    Args:
        photo: The picture.
        found: For each patch that asks what each encoder attends to, in one order.
        folder: Of the picture's files.

    Returns:
        One strip, and folded views of each encoder's heads.
    """
    columns = []
    of_heads: dict[Author, list[View]] = {}
    for number, of_query in enumerate(found, start=1):
        views = []
        for each in of_query:
            drawn = draw_heat_map(each.heads.mean(axis=0), photo.image, query=each.query)
            name = f"{folder}/attention-{number}-{each.author.key}.png"
            views.append(View(name, drawn, each.author.name, _attention_in_words(each)))
            sheet = draw_heads(each.heads, photo.image, query=each.query)
            name = f"{folder}/heads-{number}-{each.author.key}.png"
            of_heads.setdefault(each.author, []).append(View(name, sheet, f"Patch {number}"))
        columns.append(Column(f"Patch {number}", tuple(views)))
    folded = tuple((f"Each head of {author.name}", tuple(views)) for author, views in of_heads.items())
    return Part("Attention", (Strip(tuple(columns)),), folded=folded, legend_html=heat_legend())


def feature_part(photo: View, found: Sequence[Features], folder: str) -> Part:
    """Show features as colours: the picture and beside it a view for each encoder."""
    columns = [Column("", (photo,))]
    for each in found:
        drawn = spread_evenly(each.colours, _size(photo))
        rows, across = each.colours.shape[:2]
        caption = f"{across} \N{MULTIPLICATION SIGN} {rows} patches\n{rough_percent(each.share)} of the variance"
        columns.append(
            Column("", (View(f"{folder}/features-{each.author.key}.png", drawn, each.author.name, caption),))
        )
    return Part("Features", (Strip(tuple(columns)),))


def _size(view: View) -> tuple[int, int]:
    return view.image.shape[0], view.image.shape[1]


def _in_name(ratio: float) -> str:
    """A ratio as names of files have it: 75 for 0.75."""
    return f"{100 * ratio:g}"


def _same_mask(hidden: np.ndarray, other: np.ndarray) -> bool:
    return hidden.shape == other.shape and bool((hidden == other).all())


def _count(hidden: np.ndarray) -> str:
    return f"{(~hidden).sum()} of {hidden.size} patches"


def _visible_share(guess: RegionGuess) -> str:
    size_hw = (guess.region.shape[0], guess.region.shape[1])
    seen = guess.region & ~spread_evenly(guess.hidden, size_hw)
    if not seen.any():
        return "nothing of the region"
    return f"{rough_percent(seen.sum() / guess.region.sum())} of the region"


def _iou_in_words(guess: RegionGuess) -> str:
    if math.isnan(guess.iou):
        return f"IoU {DASH} (nothing of it is hidden)"
    return f"IoU {guess.iou:.2f}, baseline {guess.baseline:.2f}"


def _attention_in_words(attention: Attention) -> str:
    """How concentrated it is, and what goes elsewhere than to patches."""
    shares = np.sort(attention.heads.mean(axis=0).ravel())[::-1]
    half = int(np.searchsorted(shares.cumsum(), shares.sum() * (0.5 - _ROUNDING))) + 1
    lines = [f"half on {half} of {shares.size} patches"]
    if attention.class_share is not None:
        lines.append(f"class token {rough_percent(attention.class_share)}")
    if attention.register_share:
        lines.append(f"registers {rough_percent(attention.register_share)}")
    return "\n".join(lines)
