"""Sources of regions on the command line: one argument with flags of its own, as in 'felzenszwalb --scales 1000'."""

import shlex
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from rmae.cli.parsing import parse, suggest

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo


def region_source_registry(default: Any) -> "ConstructorRegistry":
    """Let a flag take a source of regions.

    Args:
        default: The source that the word live stands for if nothing follows it.
    """
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec

    from rmae.config import DataConfig
    from rmae.regions.sources import NamedSource

    registry = ConstructorRegistry()
    any_source = next(field.type for field in fields(DataConfig) if field.name == "regions")
    named_only = (NamedSource, NamedSource | None)

    @registry.primitive_rule
    def _(info: "PrimitiveTypeInfo") -> "PrimitiveConstructorSpec[Any] | None":
        if info.type not in (any_source, *named_only):
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="'SOURCE [FLAGS]'",
            instance_from_str=lambda words: _parse(words[0], default, named_only=info.type in named_only),
            is_instance=lambda value: value is None or callable(value),
            str_from_instance=lambda source: [_in_words(source)],
        )

    return registry


def _parse(text: str, default: Any, *, named_only: bool) -> Any:
    from typing import get_args

    from rmae.regions.inside import Inside
    from rmae.regions.live import Live
    from rmae.regions.sources import NamedSource
    from rmae.regions.stored import Stored

    classes = [*get_args(NamedSource), *([] if named_only else [Inside, Stored])]
    sources = {str(cls.__dataclass_fields__["kind"].default): cls for cls in classes}
    name, *flags = shlex.split(text) or [""]
    if name in sources:
        return parse(sources[name], f"... {name}", flags, advice=f"rmae regions show --source '{name} --help'")
    if named_only:
        raise ValueError(f"there is no source of regions {name!r}{suggest(name, sources)}")
    if name == "none":
        return None
    if name == "live":
        if flags:
            return Live(source=_parse(shlex.join(flags), None, named_only=True))
        return Live(source=default) if isinstance(default, NamedSource) else Live()
    raise ValueError(f"there is no source of regions {name!r}{suggest(name, [*sources, 'live', 'none'])}")


def _in_words(source: Any) -> str:
    from rmae.regions.live import Live

    if source is None:
        return "none"
    if isinstance(source, Live):
        return f"live {_in_words(source.source)}"
    if not is_dataclass(source):
        return repr(source)
    settings = {field.name: getattr(source, field.name) for field in fields(source)}
    words = [settings.pop("kind")]
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words += [f"--{flag}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join(words)
