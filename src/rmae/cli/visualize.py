"""Looking at what a model makes of pictures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rmae.cli.parsing import parse
from rmae.cli.region_sources import region_source_registry
from rmae.config.visualize import VisualizeConfig
from rmae.regions.sources import NamedSource

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

_Points = tuple[tuple[float, float], ...]


def visualize(arguments: list[str]) -> None:
    """Show what a model makes of pictures."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class VisualizeArguments:
        """Show what a model makes of pictures, on one page and as PNGs.

        Reconstructions with more and more patches hidden, regions completed from few visible patches, what single
        patches attend to, and features as colours.
        """

        model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
        """A run, a checkpoint, an official MAE or R-MAE file, a name of timm, a folder of timm or transformers, a hub
        id, or scratch for random weights. What its weights lack is left out."""
        images: Annotated[
            tuple[Path, ...],
            tyro.conf.Positional,
            tyro.conf.arg(metavar="[IMAGES ...]", help_behavior_hint="(default: the photographs)"),
        ] = ()
        """Pictures, or folders of them; none = three photographs that come with scikit-image."""
        out: Path = Path("visualization")
        """Folder to write: new, empty, or of an earlier call, which is replaced. Open its index.html."""
        against: Annotated[
            tuple[str, ...], tyro.conf.arg(metavar="[RUN ...]", help_behavior_hint="(default: none)")
        ] = ()
        """Further models to show beside it on the same pictures; scratch is one of its shape with random weights."""
        regions: Annotated[NamedSource | None, tyro.conf.arg(help_behavior_hint="(default: as in the run)")] = None
        """Where regions come from: a source with its flags, as in 'slic --num-segments 50'.
        None = as in the run, where that is found in pixels, or else felzenszwalb."""
        config: VisualizeConfig = field(default_factory=VisualizeConfig)
        """What is shown."""

    chosen = parse(VisualizeArguments, "visualize", arguments, registry=_registry())

    from rmae import visualize_runs

    page = visualize_runs.visualize(
        chosen.model,
        chosen.images,
        out=chosen.out,
        config=chosen.config,
        against=chosen.against,
        regions=chosen.regions,
    )
    print(f"page: {page}")


def _registry() -> "ConstructorRegistry":
    """Let flags take sources of regions, and points as x,y."""
    from tyro.constructors import PrimitiveConstructorSpec

    registry = region_source_registry(None)

    @registry.primitive_rule
    def _(info: "PrimitiveTypeInfo") -> "PrimitiveConstructorSpec[Any] | None":
        if info.type != _Points:
            return None
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar="[X,Y [X,Y ...]]",
            instance_from_str=lambda words: tuple(_point(word) for word in words),
            is_instance=lambda value: isinstance(value, tuple),
            str_from_instance=lambda points: [f"{x},{y}" for x, y in points],
        )

    return registry


def _point(word: str) -> tuple[float, float]:
    try:
        x, y = map(float, word.split(","))
    except ValueError:
        raise ValueError(f"{word!r} is no point; write x,y as shares of the picture, as in 0.3,0.5") from None
    return x, y
