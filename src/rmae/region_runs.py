"""Making the regions of a data set, and showing them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rmae.config import DataConfig
from rmae.config_json import describe_source
from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage, check_channels
from rmae.data.layouts import list_images
from rmae.data.photographs import photographs_set
from rmae.data.region_check import CheckedSource
from rmae.data.region_making import RegionMaking
from rmae.data.region_making import make_regions as make_store
from rmae.files import check_writable, write_atomically
from rmae.regions.live import Live
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, with_absolute_paths
from rmae.regions.store import RegionStore
from rmae.regions.stored import Stored
from rmae.visual.region_contact_sheet import draw_region_sheet
from rmae.visual.region_pictures import RegionPicture
from rmae.visual.region_sheet import RegionSheet, render_region_page
from rmae.visual.region_statistics import RegionStatistics, region_areas

_MAX_COUNTED = 1000  # images of a store whose regions are counted for a sheet


def make_regions(
    data: str | Path | None,
    store: str | Path,
    *,
    source: RegionSource,
    subsets: tuple[str, ...] = (),
    channels: int = 3,
    max_pixels: int = DataConfig.max_pixels,
    num_workers: int | None = None,
) -> Path | None:
    """Make the regions of a data set, those that its store lacks, with every core.

    Killed or stopped, the same call goes on where it was. Under torchrun or Slurm's srun every process makes its share,
    and the last one merges the shares.

    Args:
        data: Folder of images, in the COCO or ImageNet layout or any other; None = the photographs that come with
            scikit-image.
        store: The file to write.
        source: Where regions come from; of a callable of your own nothing tells when its code has changed, so give each
            version a store of its own.
        subsets: Sub-folders of the data; none given = train2017 (COCO), train (ImageNet) or else everything.
        channels: Channels in which images are read, those of the model: 3 = RGB, 1 = grey, 4 = RGB and alpha,
            others from TIFF alone.
        max_pixels: Images with more pixels are skipped.
        num_workers: Processes; 0 = this one, None = one for each core.

    Returns:
        The store, or None while other processes are still at their shares.

    Raises:
        ValueError: The data cannot be used, or the store has regions of another source.
        OSError: The store cannot be written, or a process that makes regions was ended from outside.
        Stopped: SIGINT or SIGTERM arrived; the same call goes on.

    Example:
        >>> import rmae
        >>> rmae.make_regions("photos", "photos.regions", source=rmae.Slic())  # doctest: +SKIP
    """
    _refuse_folder(Path(store))
    if (data is None or Path(data).exists()) and not Path(store).exists():
        check_writable(Path(store))
    if isinstance(source, NamedSource):
        source = with_absolute_paths(source)
    making = RegionMaking(source=source, channels=channels, max_pixels=max_pixels, num_workers=num_workers)
    made = make_store(_images(data, subsets), Path(store), making)
    return None if made is None else made.path


def show_regions(
    regions: str | Path | RegionSource,
    out: str | Path,
    *,
    data: str | Path | None = None,
    subsets: tuple[str, ...] = (),
    num_images: int = 12,
    channels: int | None = None,
    seed: int = 0,
) -> Path:
    """Draw regions over pictures, with counts and a histogram of their areas, for a person to judge.

    Args:
        regions: A store, or a source, which is then asked for the pictures that are shown.
        out: File to write; a name ending in .png gives one picture, another one an HTML page.
        data: Folder of images; None = the store's own, or the photographs that come with scikit-image.
        subsets: Sub-folders of the data to choose from, for a source.
        num_images: Pictures to show, at least 1, chosen at random.
        channels: Channels in which images are read; None = as the store says, or 3.
        seed: Which pictures are chosen depends on it, >= 0.

    Returns:
        The file.

    Raises:
        ValueError: The store or the data cannot be used.
        OSError: The file cannot be written.

    Example:
        >>> import rmae
        >>> rmae.show_regions(rmae.Felzenszwalb(), "regions.html")  # doctest: +SKIP
    """
    out = Path(out)
    _refuse_folder(out)
    if num_images < 1 or seed < 0:
        raise ValueError(f"num_images is {num_images} and seed {seed}; show at least 1 picture, with a seed >= 0")
    store = RegionStore(regions) if isinstance(regions, str | Path) else None
    source = Stored(path=str(regions)) if isinstance(regions, str | Path) else regions
    images = _images(data, subsets) if store is None else _images_of(store, data)
    if channels is None:
        channels = 3 if store is None else store.header.channels
    pictures, left_out = _read_pictures(_choose(images, num_images, seed), source, channels)
    folder = "photographs" if data is None else images.root.name
    sheet = RegionSheet(
        title=folder if store is None else store.path.name,
        summary={
            "Source": _in_words(source if store is None else store.header.source),
            "Folder": str(images.root),
            **({} if store is None else _name_first("Without regions", "image", store.skipped())),
            **_name_first("Not shown", "picture", left_out),
        },
        statistics=_count_shown(images, pictures) if store is None else _count_stored(store, seed),
        pictures=tuple(pictures),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, _png(draw_region_sheet(sheet)) if out.suffix.lower() == ".png" else render_region_page(sheet))
    return out


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")


def _images(data: str | Path | None, subsets: tuple[str, ...]) -> ImageSet:
    if data is None:
        return photographs_set()
    return list_images(Path(data).resolve(), subsets)


def _images_of(store: RegionStore, data: str | Path | None) -> ImageSet:
    """The images whose regions are stored, in the folder where they were or in another one."""
    root = Path(store.header.root if data is None else data)
    if not root.is_dir():
        raise ValueError(f"the images of {store.path} are not in {root}; name the folder they are in (--data)")
    return ImageSet(root.resolve(), tuple(sorted(store.names())))


def _choose(images: ImageSet, number: int, seed: int) -> ImageSet:
    chosen = np.random.default_rng(seed).permutation(len(images.names))[:number]
    return images._replace(names=tuple(images.names[i] for i in sorted(chosen)))


def _read_pictures(images: ImageSet, source: RegionSource, channels: int) -> tuple[list[RegionPicture], dict[str, str]]:
    """The pictures that can be shown, at least one, and of the others why they cannot."""
    check_channels(channels)
    pictures: list[RegionPicture] = []
    left_out: dict[str, str] = {}
    for name in images.names:
        try:
            image = images.read(name, channels=channels, max_pixels=DataConfig.max_pixels)
            pictures.append(RegionPicture(name=name, image=image, label_maps=CheckedSource(source)(image, name)))
        except (UnreadableImage, ValueError, OSError) as error:
            left_out[name] = str(error)
    if left_out and not pictures:
        name, reason = next(iter(left_out.items()))
        raise ValueError(f"none of the pictures chosen from {images.root} can be shown; the first, {name}: {reason}")
    return pictures, left_out


def _in_words(source: RegionSource | Mapping[str, Any]) -> str:
    """A source, or its settings as a store has them."""
    if isinstance(source, Live):
        source = source.source
    if isinstance(source, NamedSource | Stored):
        source = {field.name: getattr(source, field.name) for field in fields(source)}
    if not isinstance(source, Mapping):
        return describe_source(source)
    settings = {name: value for name, value in source.items() if name != "kind" and value is not None}
    if source["kind"] == "own":
        return settings["description"]
    return " · ".join(
        [source["kind"], *(f"{name.replace('_', ' ')} {_value(value)}" for name, value in settings.items())]
    )


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _name_first(title: str, what: str, reasons: Mapping[str, str]) -> dict[str, str]:
    """How many images are concerned, and of the first one why; nothing if there is none."""
    if not reasons:
        return {}
    name, reason = next(iter(reasons.items()))
    number = f"1 {what}" if len(reasons) == 1 else f"{len(reasons):,} {what}s; the first"
    return {title: f"{number}, {name}: {reason}"}


def _count_shown(images: ImageSet, pictures: Sequence[RegionPicture]) -> RegionStatistics:
    areas = [region_areas(picture.label_maps) for picture in pictures]
    return _count(areas, num_images=len(images.names))


def _count_stored(store: RegionStore, seed: int) -> RegionStatistics:
    names = sorted(store.names())
    areas = []
    for i in np.random.default_rng(seed).permutation(len(names))[:_MAX_COUNTED]:
        runs = store.read(names[i])
        areas.append(runs.areas() / (runs.counts.shape[1] * runs.width))
    num_images = store.header.num_images
    return _count(areas, num_images=num_images, bytes_per_image=store.path.stat().st_size / max(num_images, 1))


def _count(areas: list[np.ndarray], *, num_images: int, bytes_per_image: float | None = None) -> RegionStatistics:
    return RegionStatistics(
        num_images=num_images,
        regions_per_image=np.array([len(shares) for shares in areas], dtype=np.int64),
        areas=np.concatenate([np.empty(0), *areas]),
        bytes_per_image=bytes_per_image,
    )


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()
