"""Packing a data set."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rmae.cli.parsing import parse
from rmae.cli.region_sources import region_source_registry
from rmae.regions.felzenszwalb import Felzenszwalb


def pack(arguments: list[str]) -> None:
    """Pack a data set with its regions into shards."""
    import tyro

    from rmae.config.data import AnySource, DataConfig
    from rmae.data.packing import Packing

    @dataclass(frozen=True, kw_only=True)
    class PackArguments:
        """Pack the images of a folder, with their regions, into a few large files that training reads fast.

        Give their folder to rmae pretrain --data. What is packed already is left alone; stopped or killed, the command
        goes on.

        Under torchrun or srun each process packs a share, and the last one writes the index.
        """

        data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")]
        """Folder of your images: files in COCO's or ImageNet's layout or any other, Parquet files, or shards."""
        out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
        """Folder of the shards, new or of an earlier start."""
        regions: AnySource = field(default_factory=Felzenszwalb)
        """Where the regions beside the images come from, as in rmae pretrain; none = pack images alone."""
        short_side: int | None = Packing.short_side
        """Pixels of the shorter side of packed images; smaller ones, and all if it is None, keep their size."""
        quality: int = Packing.quality
        """Quality of JPEGs, 1 to 95."""
        subsets: tuple[str, ...] = ()
        """Sub-folders of the data; none given = all, but in COCO's and ImageNet's layout training and validation.
        Of Parquet files those for training are packed."""
        channels: int = 3
        """Channels in which images are read, those of the model: 3 = RGB, 1 = grey, 4 = RGB and alpha.
        Other numbers are read from TIFF alone."""
        max_pixels: int = DataConfig.max_pixels
        """Images with more pixels are skipped as absurdly large."""
        images_per_shard: int = Packing.images_per_shard
        """Images in one file."""
        num_workers: int | None = None
        """Processes that pack; 0 = pack in this one, None = one for each core."""

    chosen = parse(PackArguments, "pack", arguments, registry=region_source_registry(None))

    from rmae.pack_runs import pack as pack_data

    folder = pack_data(
        chosen.data,
        chosen.out,
        regions=chosen.regions,
        short_side=chosen.short_side,
        quality=chosen.quality,
        subsets=chosen.subsets,
        channels=chosen.channels,
        max_pixels=chosen.max_pixels,
        images_per_shard=chosen.images_per_shard,
        num_workers=chosen.num_workers,
    )
    print("this share is done; the last process to finish writes the index" if folder is None else f"packed: {folder}")
