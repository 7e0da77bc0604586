"""Packing a data set into shards."""

from pathlib import Path

from rmae.config import DataConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_all_images
from rmae.data.packing import Packing, pack_images
from rmae.data.photographs import photographs_set
from rmae.data.shards import INDEX
from rmae.files import check_writable
from rmae.regions.inside import Inside
from rmae.regions.source import RegionSource
from rmae.regions.sources import NamedSource, with_absolute_paths


def pack(
    data: str | Path | None,
    out: str | Path,
    *,
    regions: RegionSource | None = None,
    short_side: int | None = Packing.short_side,
    quality: int = Packing.quality,
    subsets: tuple[str, ...] = (),
    channels: int = 3,
    max_pixels: int = DataConfig.max_pixels,
    images_per_shard: int = Packing.images_per_shard,
    num_workers: int | None = None,
) -> Path | None:
    """Pack a data set, with its regions, into shards that training reads fast, with every core.

    Killed or stopped, the same call goes on where it was. Under torchrun or Slurm's srun every process packs its share.

    Args:
        data: Folder of images, in any form that training takes; None = the photographs that come with scikit-image.
        out: Folder of the shards.
        regions: Where regions come from that are packed beside the images; None = none.
        short_side: Pixels of the shorter side of packed images; smaller ones, and all if it is None, keep their size.
        quality: Quality of JPEGs, 1 to 95.
        subsets: Sub-folders of the data; none given = those for training and validation in COCO's and ImageNet's
            layout, or else everything.
        channels: Channels in which images are read, those of the model.
        max_pixels: Images with more pixels are skipped.
        images_per_shard: Images in one file.
        num_workers: Processes; 0 = this one, None = one for each core.

    Returns:
        The folder of the shards, or None while other processes are still at their shares.

    Raises:
        ValueError: The data, the settings or the folder cannot be used.
        OSError: The shards cannot be written, or a process that packs was ended from outside.
        Stopped: SIGINT or SIGTERM arrived; the same call goes on.

    Example:
        >>> import rmae
        >>> rmae.pack("photos", "photos-packed", regions=rmae.Felzenszwalb())  # doctest: +SKIP
    """
    if (data is None or Path(data).exists()) and not (Path(out) / INDEX).exists():
        check_writable(Path(out))
    if isinstance(regions, NamedSource):
        regions = with_absolute_paths(regions)
    packing = Packing(
        short_side=short_side,
        quality=quality,
        regions=regions,
        channels=channels,
        max_pixels=max_pixels,
        images_per_shard=images_per_shard,
        num_workers=num_workers,
    )
    shards = pack_images(_images(data, subsets, regions), Path(out), packing)
    return None if shards is None else shards.folder


def _images(data: str | Path | None, subsets: tuple[str, ...], regions: RegionSource | None) -> ImageSet:
    if data is None:
        return photographs_set()
    column = regions.column if isinstance(regions, Inside) else None
    return list_all_images(Path(data).resolve(), subsets, regions_column=column)
