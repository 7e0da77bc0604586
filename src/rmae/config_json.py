"""Configurations as JSON, checked again when they are read."""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from rmae.config import PretrainConfig
from rmae.quoting import one_line
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.inside import Inside
from rmae.regions.live import Live
from rmae.regions.sources import NamedSource
from rmae.regions.stored import Stored

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Config = TypeVar("Config")


def config_to_json(config: Any) -> dict[str, Any]:
    """Turn a configuration into what `json.dumps` takes.

    Args:
        config: One of the dataclasses of `rmae.config`.

    Returns:
        Nested dictionaries. A region source of the user's own becomes its description, a string.
    """
    kept = NamedSource | Inside | Live | Stored | None
    if isinstance(config, PretrainConfig) and not isinstance(config.data.regions, kept):
        own_source = describe_source(config.data.regions)
        config = replace(config, data=replace(config.data, regions=Felzenszwalb()))
        saved = config_to_json(config)
        saved["data"]["regions"] = own_source
        return saved
    return _adapter(type(config)).dump_python(config, mode="json")


def config_from_json(kind: type[Config], saved: Any, *, where: str) -> Config:
    """Read a configuration back.

    Args:
        kind: The dataclass to make, for instance `PretrainConfig`.
        saved: What `config_to_json` returned, after a trip through JSON.
        where: Name of the file, for the error.

    Returns:
        The configuration, equal to the one that was saved.

    Raises:
        ValueError: A value is unknown, missing, of the wrong type or outside its range; the sentence names it.
    """
    from pydantic import ValidationError
    from pydantic_core import PydanticSerializationError, to_json

    if _has_own_source(saved):
        raise ValueError(
            f"{where} was written with a region source of the user's own ({one_line(saved['data']['regions'])}), which "
            "only Python can give again: pass the configuration to rmae.pretrain or rmae.report"
        )
    try:
        return _adapter(kind).validate_json(to_json(saved), strict=True, extra="forbid")
    except PydanticSerializationError as error:  # text that is none, or too many levels
        raise ValueError(f"{where} is not a configuration of this version: {one_line(error)}") from error
    except ValidationError as error:
        # Of a region source, the errors that matter are those of the kind that it says it is.
        faults = error.errors(include_url=False)
        other_kinds = {fault["loc"][:-1] for fault in faults if fault["loc"][-1:] == ("kind",)}
        first = min(faults, key=lambda fault: fault["loc"][:-1] in other_kinds)
        place = one_line(".".join(str(part) for part in first["loc"]), longest=100)
        fault = first["msg"].removeprefix("Value error, ")
        sentence = f"{place}: {fault}" if place else fault
        raise ValueError(
            f"{where} is not a configuration of this version: {one_line(sentence, longest=300)}"
        ) from error


@cache
def _adapter(kind: type[Any]) -> "TypeAdapter[Any]":
    """One for each kind: to make it takes longer than all else."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def describe_source(source: Any) -> str:
    """A region source of the user's own in words that are the same in every process."""
    if type(source).__repr__ is object.__repr__:
        source = type(source)
    if hasattr(source, "__qualname__"):
        return f"{source.__module__}.{source.__qualname__}"
    return repr(source)


def _has_own_source(saved: Any) -> bool:
    data = saved.get("data") if isinstance(saved, dict) else None
    return isinstance(data, dict) and isinstance(data.get("regions"), str)
