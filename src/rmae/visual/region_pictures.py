"""A picture and its label maps as pictures: each region in a flat colour over the picture, dimmed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from rmae.regions.source import NO_REGION
from rmae.visual.figure_words import rough_percent
from rmae.visual.pictures import show_stored
from rmae.visual.region_colours import REGION_COLOURS, colour_regions
from rmae.visual.region_statistics import region_areas

BORDER_COLOUR = (255, 255, 255)
"""The line between regions, and between a region and what belongs to none."""

_DIMMED = 0.5  # brightness of what belongs to no region
_FLATNESS = 0.72  # share of a region's colour; the rest is the picture, in grey
_LARGEST_SIDE, _SMALLEST_SIDE = 640, 320
_MAX_MAPS = 3  # with the photograph four pictures, one row of a page


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionPicture:
    """An image and its regions."""

    name: str
    """What the image is called, for instance its path."""
    image: np.ndarray
    """Shape (H, W, M), uint8 or uint16."""
    label_maps: np.ndarray
    """Shape (S, H, W) int32; each label >= 0 of each map is one region, S may be 0."""


class RegionView(NamedTuple):
    """One way to look at an image and its regions."""

    image: np.ndarray
    """Shape (h, w, 3) uint8; all views of a picture have the same size."""
    title: str
    """Two or three words."""
    caption: str
    """The figures that belong to it, in one or two lines."""
    alt: str
    """What it shows, for those who cannot see it."""


def region_views(picture: RegionPicture) -> list[RegionView]:
    """Draw an image and its regions.

    Args:
        picture: What to draw. It is shown with its longer side between 320 and 640 pixels.

    Returns:
        The photograph and one view for each label map. Of four maps and more the photograph, one view of all regions
        together, and the first two maps.
    """
    maps = picture.label_maps
    height, width = picture.image.shape[:2]
    size_hw = shown_size(height, width)
    photo = show_stored(picture.image, size_hw)
    views = [RegionView(photo, "Picture", f"{width} \N{MULTIPLICATION SIGN} {height} pixels", "the picture")]
    if len(maps) > _MAX_MAPS:
        merged = draw_label_map(photo, stack_by_size(_resize_labels(maps, size_hw)))
        caption = f"{_in_words(maps)}, small ones on top"
        views.append(RegionView(merged, f"All {len(maps)} maps", caption, f"all its regions together: {caption}"))
    num_alone = len(maps) if len(maps) <= _MAX_MAPS else _MAX_MAPS - 1
    for number, label_map in enumerate(maps[:num_alone], start=1):
        (small,) = _resize_labels(label_map[None], size_hw)
        caption = _in_words(label_map[None])
        views.append(RegionView(draw_label_map(photo, small), f"Map {number}", caption, f"map {number}: {caption}"))
    return [view._replace(alt=f"{picture.name}: {view.alt}".replace("\n", ", ")) for view in views]


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Choose the size at which an image is shown.

    Args:
        height: Height of the image in pixels, at least 1.
        width: Width of the image in pixels, at least 1.

    Returns:
        Height and width: a longer side above 640 is shrunk to 640, one below 320 enlarged by the smallest whole factor
        that makes it 320 or more.
    """
    longer = max(height, width)
    if longer <= _LARGEST_SIDE:
        factor = -(-_SMALLEST_SIDE // longer)
        return height * factor, width * factor
    scale = _LARGEST_SIDE / longer
    return max(1, round(height * scale)), max(1, round(width * scale))


def draw_label_map(photo: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """Draw the regions of one label map over a picture.

    Args:
        photo: Shape (H, W, 3) uint8.
        label_map: Shape (H, W) int32; each label >= 0 is one region.

    Returns:
        Shape (H, W, 3) uint8: regions in flat colours with a trace of the picture, what belongs to none in dark grey,
        and a line of one pixel where two of these meet.
    """
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32)[..., None]  # (H, W, 1)
    numbers = colour_regions(label_map)
    colours = np.array(REGION_COLOURS, np.float32)[numbers]  # (H, W, 3), of no meaning outside regions
    inside = (numbers != NO_REGION)[..., None]
    drawn = np.rint(np.where(inside, _FLATNESS * colours + (1 - _FLATNESS) * grey, _DIMMED * grey)).astype(np.uint8)
    drawn[label_borders(np.maximum(label_map, NO_REGION))] = BORDER_COLOUR
    return drawn


def label_borders(labels: np.ndarray) -> np.ndarray:
    """Find the pixels whose right or lower neighbour has another label.

    Args:
        labels: Shape (H, W), integer.

    Returns:
        Shape (H, W) bool.
    """
    borders = np.zeros(labels.shape, bool)
    borders[:-1] |= labels[:-1] != labels[1:]
    borders[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return borders


def stack_by_size(label_maps: np.ndarray) -> np.ndarray:
    """Lay overlapping label maps on each other, so that each pixel shows the smallest of its regions.

    Args:
        label_maps: Shape (S, H, W) int32 with S >= 1.

    Returns:
        Shape (H, W) int32, one label for each region of each map of which something is seen, else `NO_REGION`.
    """
    sizes = np.full(label_maps.shape, np.inf)
    numbers = np.full(label_maps.shape, NO_REGION, np.int32)
    num_regions = 0
    for size, number, label_map in zip(sizes, numbers, label_maps, strict=True):
        inside = label_map >= 0
        _, places, counts = np.unique(label_map[inside], return_inverse=True, return_counts=True)
        size[inside] = counts[places]
        number[inside] = places + num_regions
        num_regions += counts.size
    return np.take_along_axis(numbers, sizes.argmin(axis=0)[None], axis=0)[0]


def _in_words(label_maps: np.ndarray) -> str:
    """Number of regions, their median area and what they cover together."""
    areas = region_areas(label_maps)
    if areas.size == 0:
        return "no region"
    covered = rough_percent(float((label_maps >= 0).any(axis=0).mean()))
    count = (
        "1 region" if areas.size == 1 else f"{areas.size:,} regions, median {rough_percent(float(np.median(areas)))}"
    )
    return f"{count}\n{covered} covered"


def _resize_labels(label_maps: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Label maps (S, H, W) as (S, h, w): each pixel takes the label at its centre."""
    height, width = size_hw
    pictures = [Image.fromarray(label_map.astype(np.int32, copy=False)) for label_map in label_maps]
    return np.stack([np.asarray(picture.resize((width, height), Image.Resampling.NEAREST)) for picture in pictures])
