"""Making the regions of a data set, and showing them."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from rmae.data.images import UnreadableImage, read_image
from rmae.data.layouts import ImageSet, list_images
from rmae.data.photographs import TRAINING, photographs_folder
from rmae.data.region_check import CheckedSource
from rmae.data.region_making import RegionMaking
from rmae.data.region_making import make_regions as make_store
from rmae.files import write_atomically
from rmae.regions.live import Live
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, with_absolute_paths
from rmae.regions.store import RegionStore, StoreHeader
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
    source: NamedSource,
    subsets: tuple[str, ...] = (),
    channels: int = 3,
    max_pixels: int = 80_000_000,
    num_workers: int | None = None,
) -> Path | None:
    """Make the regions of a data set, those that its store lacks, with every core.

    Killed or stopped, the same call goes on where it was. Under torchrun or Slurm's srun every process makes its share,
    and the last one merges the shares.

    Args:
        data: Folder of images, in the COCO or ImageNet layout or any other; None = the photographs that come with
            scikit-image.
        store: The file to write.
        source: Where regions come from.
        subsets: Sub-folders of the data; none given = train2017 (COCO), train (ImageNet) or else everything.
        channels: Channels in which images are read, those of the model: 3 = RGB, 1 = grey, 4 = RGB and alpha.
        max_pixels: Images with more pixels are skipped.
        num_workers: Processes; 0 = this one, None = one for each core.

    Returns:
        The store, or None while other processes are still at their shares.

    Raises:
        ValueError: The data cannot be used, or the store has regions of another source.
        OSError: The store cannot be written, or a process that makes regions was ended from outside.
        Stopped: SIGINT or SIGTERM arrived; the same call goes on.
    """
    making = RegionMaking(
        source=with_absolute_paths(source), channels=channels, max_pixels=max_pixels, num_workers=num_workers
    )
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
    """
    if num_images < 1:
        raise ValueError(f"num_images is {num_images}; show at least 1")
    store = RegionStore(regions) if isinstance(regions, str | Path) else None
    source = Stored(path=str(regions)) if isinstance(regions, str | Path) else regions
    if store is not None:
        images = ImageSet(Path(store.header.root if data is None else data), tuple(sorted(store.names())))
        channels = store.header.channels if channels is None else channels
    else:
        images = _images(data, subsets)
    chosen = np.random.default_rng(seed).permutation(len(images.names))[:num_images]
    pictures = _pictures(images, [images.names[i] for i in sorted(chosen)], source, 3 if channels is None else channels)
    sheet = RegionSheet(
        title=images.root.name if store is None else store.path.name,
        summary=_summary(source, store),
        statistics=_count_shown(images, pictures) if store is None else _count_stored(store, seed),
        pictures=tuple(pictures),
    )
    out = Path(out)
    write_atomically(out, _png(draw_region_sheet(sheet)) if out.suffix.lower() == ".png" else render_region_page(sheet))
    return out


def _images(data: str | Path | None, subsets: tuple[str, ...]) -> ImageSet:
    if data is None:
        return ImageSet(photographs_folder(), TRAINING)
    return list_images(Path(data).resolve(), subsets)


def _pictures(images: ImageSet, names: Sequence[str], source: RegionSource, channels: int) -> list[RegionPicture]:
    """The pictures that can be read, at least one."""
    pictures: list[RegionPicture] = []
    fault: Exception | None = None
    for name in names:
        try:
            image = read_image(images.root / name, channels=channels, max_pixels=80_000_000)
            pictures.append(RegionPicture(name=name, image=image, label_maps=CheckedSource(source)(image, name)))
        except (UnreadableImage, ValueError, OSError) as error:
            fault = ValueError(f"none of the chosen pictures of {images.root} can be shown; {name}: {error}")
    if not pictures and fault is not None:
        raise fault
    return pictures


def _summary(source: RegionSource, store: RegionStore | None) -> dict[str, str]:
    if store is None:
        settings = source.source if isinstance(source, Live) else source
        return {"Source": str(settings)}
    header: StoreHeader = store.header
    settings = [f"{name} {value}" for name, value in header.source.items() if name != "kind" and value is not None]
    facts = {"Source": " · ".join([str(header.source["kind"]), *settings]), "Images": header.root}
    skipped = store.skipped()
    if skipped:
        name, reason = next(iter(skipped.items()))
        facts["Skipped"] = f"{len(skipped):,} images, as {name}: {reason}"
    return facts


def _count_shown(images: ImageSet, pictures: Sequence[RegionPicture]) -> RegionStatistics:
    areas = [region_areas(picture.label_maps) for picture in pictures]
    return RegionStatistics(
        num_images=len(images.names),
        regions_per_image=np.array([len(shares) for shares in areas]),
        areas=np.concatenate(areas),
    )


def _count_stored(store: RegionStore, seed: int) -> RegionStatistics:
    names = sorted(store.names())
    counted = np.random.default_rng(seed).permutation(len(names))[:_MAX_COUNTED]
    areas = []
    for i in counted:
        runs = store.read(names[i])
        areas.append(runs.areas() / (runs.counts.shape[1] * runs.width))
    return RegionStatistics(
        num_images=store.header.num_images,
        regions_per_image=np.array([len(shares) for shares in areas]),
        areas=np.concatenate(areas),
        bytes_per_image=store.path.stat().st_size / max(store.header.num_images, 1),
    )


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()
