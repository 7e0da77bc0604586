"""Making regions, and showing them."""

from dataclasses import dataclass, field
from pathlib import Path

from rmae.cli.parsing import UsageError, parse
from rmae.cli.region_sources import region_source_registry
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.sources import NamedSource


def make(arguments: list[str]) -> None:
    """Make the regions of a data set."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class MakeArguments:
        """Make the regions of a data set, those that its store lacks.

        Whatever ends it, the same command goes on where it was. Started by torchrun or Slurm's srun, every process
        makes its share, and the last one merges the shares.
        """

        data: tyro.conf.Positional[Path]
        """Folder of your images, in COCO's or ImageNet's layout or any other."""
        store: tyro.conf.Positional[Path]
        """File to write, or to add to; its name ends in .regions by custom."""
        source: NamedSource = field(default_factory=Felzenszwalb)
        """Where regions come from, with its flags: felzenszwalb, slic, grid, coco-instances, coco-panoptic, sam-json
        (SA-1B files), sam (the model) or random-masks."""
        subsets: tuple[str, ...] = ()
        """Sub-folders of the data; none given = train2017 (COCO), train (ImageNet), or else everything."""
        channels: int = 3
        """Channels in which images are read, those of the model: 3 = RGB, 1 = grey, 4 = RGB and alpha."""
        max_pixels: int = 80_000_000
        """Images with more pixels are skipped as absurdly large."""
        num_workers: int | None = None
        """Processes; 0 = this one, None = one for each core, and with sam this one."""

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
        """Draw regions over pictures, with counts and a histogram of their areas, to judge them by."""

        store: tyro.conf.Positional[Path | None] = None
        """The store; none given = ask --source for the regions of a few pictures of --data."""
        data: Path | None = None
        """Folder of the images; None = where they were when the store was made."""
        source: NamedSource = field(default_factory=Felzenszwalb)
        """Where regions come from if no store is given, with its flags."""
        out: Path = Path("regions.html")
        """File to write: an HTML page, or one picture if its name ends in .png."""
        num_images: int = 12
        """Pictures to show, at least 1, chosen at random."""
        channels: int | None = None
        """Channels in which images are read; None = as the store says, or 3."""
        seed: int = 0
        """Which pictures are chosen depends on it, >= 0."""

    chosen = parse(ShowArguments, "regions show", arguments, registry=region_source_registry(None))
    if chosen.store is None and chosen.data is None:
        raise UsageError("there is nothing to show; give a store, or --data with or without --source")

    from rmae.region_runs import show_regions

    shown = show_regions(
        chosen.source if chosen.store is None else chosen.store,
        chosen.out,
        data=chosen.data,
        num_images=chosen.num_images,
        channels=chosen.channels,
        seed=chosen.seed,
    )
    print(f"regions: {shown}")
