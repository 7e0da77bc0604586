"""The app in the browser."""

from dataclasses import dataclass
from typing import Annotated

from rmae.cli.parsing import UsageError, parse
from rmae.cli.region_sources import region_source_registry
from rmae.regions.sources import NamedSource

# Their regions, or areas, belong to pictures that they know by name.
_LOOK_UP = ("coco-instances", "coco-panoptic", "sam-json", "random-masks")


def app(arguments: list[str]) -> None:
    """Serve the app."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class AppArguments:
        """Serve a page on which people click on objects in their pictures and see what a model makes of it.

        They mark an object and see its mask at once, look at the attention of a patch and at region maps, compare two
        models, and take masks home as PNG or COCO's JSON.
        """

        run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
        """A run, a checkpoint, a folder or file of weights, or a hub id; of a model with a region branch."""
        against: str | None = None
        """Another one to compare it with."""
        host: str = "127.0.0.1"
        """Address to listen at; 0.0.0.0 = others in your network can open the page, too."""
        port: int | None = None
        """Port to listen at, 0 = any free one; None = 7860, or the next free one."""
        max_megapixels: float = 40
        """Larger pictures are refused before they are decoded, in millions of pixels."""
        max_upload_mb: float = 30
        """Larger files are refused, in millions of bytes."""
        regions: Annotated[NamedSource | None, tyro.conf.arg(help_behavior_hint="(default: None)")] = None
        """A source of region maps with its flags, as in 'felzenszwalb --scales 1000'; some are always offered.
        There are felzenszwalb, grid, sam and slic."""
        open: bool = True
        """Open the page in the browser here."""

    chosen = parse(AppArguments, "app", arguments, registry=region_source_registry(None))
    if chosen.regions is not None and chosen.regions.kind in _LOOK_UP:
        raise UsageError(
            f"--regions is {chosen.regions.kind}, which knows pictures by their names, and visitors bring their own; "
            "take one that computes regions: felzenszwalb, grid, sam or slic"
        )

    from rmae.app.server import serve

    serve(
        chosen.run,
        against=chosen.against,
        regions=chosen.regions,
        host=chosen.host,
        port=chosen.port,
        max_megapixels=chosen.max_megapixels,
        max_upload_mb=chosen.max_upload_mb,
        open_browser=chosen.open,
    )
