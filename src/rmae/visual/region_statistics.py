"""How large and how many the regions of a data set are, and what of that calls for a second look."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from rmae.visual.figure_words import rough_percent

PATCH_SHARE = (16 / 224) ** 2
"""Share of a picture that one patch of 16 pixels covers at 224 pixels a side, about 0.5 %."""
_WHOLE_PICTURE = 0.99  # share from which a region counts as the whole picture


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionStatistics:
    """The regions of a data set, counted on all of its images or on a sample."""

    num_images: int
    """Images of the data set."""
    regions_per_image: np.ndarray
    """Shape (n,) int, regions of each image that was counted; at most `num_images` of them, perhaps none."""
    areas: np.ndarray
    """Shape (regions_per_image.sum(),) float in (0, 1]: the share of its image that each region covers, image after
    image in the order of `regions_per_image`. `region_areas` measures one image."""
    bytes_per_image: float | None = None
    """Mean size of an image's stored regions; None = they are not stored."""

    def __post_init__(self) -> None:
        """Check that the areas can be told apart by image."""
        num_regions = int(self.regions_per_image.sum())
        if self.areas.shape != (num_regions,):
            raise ValueError(
                f"areas have shape {self.areas.shape}, but regions_per_image adds up to {num_regions}; give the area "
                "of each region that was counted, image after image"
            )


class Fault(Enum):
    """What may be wrong with the regions of one image."""

    NO_REGION = "no region at all"
    WHOLE_PICTURE = "no region but the whole picture"
    TINY = "only regions smaller than one patch"


def region_areas(label_maps: np.ndarray) -> np.ndarray:
    """Measure the regions of one image.

    Args:
        label_maps: Shape (S, H, W), integers; each label >= 0 of each map is one region.

    Returns:
        Shape (n,) float in (0, 1]: share of the pixels that each region covers, map after map, by ascending label.
    """
    shares = [np.unique(label_map[label_map >= 0], return_counts=True)[1] / label_map.size for label_map in label_maps]
    return np.concatenate([np.empty(0), *shares])


def find_fault(areas: np.ndarray) -> Fault | None:
    """Look for what may be wrong with the regions of one image.

    Args:
        areas: Shape (n,) float in (0, 1], as `region_areas` gives them.

    Returns:
        What was found, or None if nothing looks suspicious.
    """
    if areas.size == 0:
        return Fault.NO_REGION
    if areas.min() >= _WHOLE_PICTURE:
        return Fault.WHOLE_PICTURE
    if areas.max() < PATCH_SHARE:
        return Fault.TINY
    return None


def key_figures(statistics: RegionStatistics) -> list[tuple[str, str, str]]:
    """Of each key figure its name, its value, and a few words on what it means."""
    counts, areas = statistics.regions_per_image, statistics.areas
    counted = "all" if counts.size == statistics.num_images else f"{counts.size:,}"
    figures = [("Images", f"{statistics.num_images:,}", f"regions counted in {counted} of them")]
    if counts.size:
        low, middle, high = np.percentile(counts, [5, 50, 95])
        note = f"median; {_spread(f'{low:,.0f}', f'{high:,.0f}')}"
        figures.append(("Regions an image", f"{middle:,.1f}".removesuffix(".0"), note))
    if areas.size:
        low, middle, high = np.percentile(areas, [5, 50, 95])
        note = f"of its picture, median; {_spread(rough_percent(low), rough_percent(high))}"
        figures.append(("Area of a region", rough_percent(middle), note))
    if statistics.bytes_per_image is not None:
        figures.append(("Stored", f"{statistics.bytes_per_image / 1000:,.1f} kB", "regions of one image, mean"))
    return figures


def _spread(low: str, high: str) -> str:
    """Where most values lie, between the lowest and the highest twentieth."""
    return f"{rough_percent(0.9)} alike" if low == high else f"{rough_percent(0.9)} between {low} and {high}"


def warnings_in_words(statistics: RegionStatistics) -> list[str]:
    """A sentence for each kind of suspicious image that was counted; none if there is none."""
    counts = statistics.regions_per_image
    images = np.split(statistics.areas, np.cumsum(counts)[:-1]) if counts.size else []
    faults = [find_fault(areas) for areas in images]
    sentences = []
    for fault in Fault:
        number = faults.count(fault)
        if number:
            has = "has" if number == 1 else "have"
            counted = f"{number:,} of the {len(images):,} images that were counted"
            sentences.append(f"{counted} {has} {fault.value}{_consequence(fault)}.")
    return sentences


def _consequence(fault: Fault) -> str:
    match fault:
        case Fault.NO_REGION:
            return ": there the model has no region to complete"
        case Fault.WHOLE_PICTURE:
            return ", which says nothing about what is where in it"
        case Fault.TINY:
            return f" (16 pixels a side at 224, {rough_percent(PATCH_SHARE)} of the picture): too small to have a shape"
