"""Making regions, and showing them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rmae.cli.parsing import UsageError, parse
from rmae.cli.region_sources import region_source_registry
from rmae.config import DataConfig
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.sources import NamedSource


def make(arguments: list[str]) -> None:
    """Make the regions of a data set."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class MakeArguments:
        """Make the regions of all images in a folder, and store them in one file.

        What is stored already is left alone; stopped or killed, the command goes on.

        Under torchrun or srun each process makes a share, and the last one merges.
        """

        data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")]
        """Folder of your images, in COCO's or ImageNet's layout or any other."""
        store: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STORE")]
        """File to write, or to add to; its name ends in .regions by custom."""
        source: NamedSource = field(default_factory=Felzenszwalb)
        """Where regions come from: a source with its flags, as in 'slic --num-segments 50'.
        There are coco-instances, coco-panoptic, felzenszwalb, grid, random-masks, sam, sam-json and slic.
        See rmae regions show --source 'slic --help' for the flags of slic."""
        subsets: tuple[str, ...] = ()
        """Sub-folders of the data; none given = train2017 (COCO), train (ImageNet), or else everything."""
        channels: int = 3
        """Channels in which images are read, those of the model: 3 = RGB, 1 = grey, 4 = RGB and alpha.
        Other numbers are read from TIFF alone."""
        max_pixels: int = DataConfig.max_pixels
        """Images with more pixels are skipped as absurdly large."""
        num_workers: int | None = None
        """Processes that make regions; 0 = make them in this one, None = one for each core (for sam, 0)."""

    chosen = parse(MakeArguments, "regions make", arguments, registry=region_source_registry(None))

    from rmae.region_runs import make_regions

    store = make_regions(
        chosen.data,
        chosen.store,
        source=chosen.source,
        subsets=chosen.subsets,
        channels=chosen.channels,
        max_pixels=chosen.max_pixels,
        num_workers=chosen.num_workers,
    )
    print("this share is done; the last process to finish merges all" if store is None else f"regions: {store}")


def show(arguments: list[str]) -> None:
    """Show regions over pictures."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ShowArguments:
        """Draw regions over pictures, with their numbers and areas, to judge them by.

        Give a store, or a folder of images and where their regions come from.
        """

        store: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="[STORE]")] = None
        """File that rmae regions make wrote; None = make the regions of the pictures that are shown."""
        data: Path | None = None
        """Folder of the images; None = where they were when the store was made."""
        source: Annotated[NamedSource | None, tyro.conf.arg(help_behavior_hint="(default: felzenszwalb)")] = None
        """Where regions come from if no store is given: a source with its flags, as in 'slic --num-segments 50'.
        See rmae regions make --help for all sources, and 'slic --help' for the flags of slic."""
        out: Path = Path("regions.html")
        """File to write: an HTML page, or one picture if its name ends in .png."""
        num_images: int = 12
        """Pictures to show, at least 1, chosen at random."""
        channels: int | None = None
        """Channels in which images are read: 3 = RGB, 1 = grey, 4 = RGB and alpha; None = as the store says, or 3."""
        seed: int = 0
        """Which pictures are chosen depends on it, >= 0."""

    chosen = parse(ShowArguments, "regions show", arguments, registry=region_source_registry(None))
    if chosen.store is None and chosen.data is None:
        raise UsageError("there is nothing to show; give a store, or a folder of images (--data)")
    if chosen.store is not None and chosen.source is not None:
        raise UsageError("a store and --source are given; show one of them")

    from rmae.region_runs import show_regions

    shown = show_regions(
        (chosen.source or Felzenszwalb()) if chosen.store is None else chosen.store,
        chosen.out,
        data=chosen.data,
        num_images=chosen.num_images,
        channels=chosen.channels,
        seed=chosen.seed,
    )
    print(f"regions: {shown}")
