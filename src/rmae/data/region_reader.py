"""The regions of images in training: read from a store, from beside the images, or made on the spot."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from rmae.config import DataConfig
from rmae.data.image_set import Container, ImageSet
from rmae.data.images import StoredImage
from rmae.data.region_check import CheckedSource
from rmae.data.region_preparation import prepare_for_forks
from rmae.regions.inside import Inside
from rmae.regions.label_runs import LabelRuns
from rmae.regions.live import Live
from rmae.regions.sources import NamedSource, regions_depend_on
from rmae.regions.stored import Stored


class RegionReader(Protocol):
    """Reads the regions of an image."""

    @property
    def needs_pixels(self) -> bool:
        """Whether it looks at the image, and not only at its name and size."""
        ...

    def __call__(self, image: StoredImage, name: str, /) -> LabelRuns:
        """Return the regions of an image; a ValueError or an OSError where they cannot be had."""
        ...


def are_inside(data: DataConfig, images: ImageSet) -> bool:
    """Whether the regions that are wanted stand beside the images."""
    match data.regions:
        case Inside():
            return True
        case _ if isinstance(data.regions, NamedSource) and data.region_store is None and images.container is not None:
            return images.container.region_settings == regions_depend_on(data.regions)
        case _:
            return False


def open_regions(data: DataConfig, images: ImageSet) -> RegionReader:
    """Choose where regions are read from.

    Args:
        data: Its store where it names one, or else its source of regions, asked anew for every sample; but what the
            images were packed with is not made again.
        images: The images that are read.

    Raises:
        ValueError: The store cannot be read, or there are no regions inside.
    """
    source = data.regions if data.region_store is None else Stored(path=data.region_store)
    assert source is not None, "the configuration requires a source where regions are needed"
    if are_inside(data, images):
        prepare_for_forks(None, channels=len(data.pixel_mean))
        return _InsideReader(_container_with_regions(images))
    prepare_for_forks(source.source if isinstance(source, Live) else source, channels=len(data.pixel_mean))
    if isinstance(source, Stored):
        _ = source.store  # a store that cannot be read is an error now, not one of every image
        return _StoreReader(source)
    return _LiveReader(CheckedSource(source))


def open_regions_of_pictures(data: DataConfig, images: ImageSet) -> RegionReader:
    """As `open_regions`, for pictures that need not be in the store: of those the source itself is asked.

    Args:
        data: Its store, where that exists, and its source of regions.
        images: The pictures.
    """
    live = replace(data, region_store=None)
    if data.region_store is None or not Path(data.region_store).exists():
        return open_regions(live, images)
    stored = _StoreReader(Stored(path=data.region_store))
    open_live = lru_cache(lambda: open_regions(live, images))  # only if one needs it: some sources read much first

    return _FirstReader(stored, open_live)


def _container_with_regions(images: ImageSet) -> Container:
    container = images.container
    if container is None:
        raise ValueError(f"{images.root} holds files of images, which have no regions inside; name a source of regions")
    if container.region_settings is None:
        raise ValueError(f"the data in {images.root} have no regions inside; name a source of regions")
    return container


@dataclass(frozen=True)
class _InsideReader:
    """Reads what stands beside the images."""

    container: Container
    needs_pixels = False

    def __call__(self, image: StoredImage, name: str) -> LabelRuns:
        runs = self.container.regions(name)
        runs_hw = (runs.counts.shape[1], runs.width)
        if runs_hw != image.size_hw:
            raise ValueError(
                f"they are for {runs_hw[0]} x {runs_hw[1]} pixels, but the image has "
                f"{image.size_hw[0]} x {image.size_hw[1]}"
            )
        return runs


@dataclass(frozen=True)
class _StoreReader:
    """Looks regions up in a store."""

    stored: Stored
    needs_pixels = False

    def __call__(self, image: StoredImage, name: str) -> LabelRuns:
        return self.stored.runs(name, image.size_hw)


@dataclass(frozen=True)
class _LiveReader:
    """Asks a source for every image."""

    source: CheckedSource
    needs_pixels = True

    def __call__(self, image: StoredImage, name: str) -> LabelRuns:
        return LabelRuns.of(self.source(image.pixels(), name))


@dataclass(frozen=True)
class _FirstReader:
    """Looks regions up, and asks another reader for those that are not there."""

    stored: _StoreReader
    open_other: Callable[[], RegionReader]
    needs_pixels = True

    def __call__(self, image: StoredImage, name: str) -> LabelRuns:
        try:
            return self.stored(image, name)
        except ValueError:
            return self.open_other()(image, name)
