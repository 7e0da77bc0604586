"""The name of a preset that may stand before a command's flags."""

from typing import TYPE_CHECKING

from rmae.cli.parsing import UsageError, suggest

if TYPE_CHECKING:
    from rmae.config import PretrainConfig


def split_preset(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The name that stands first, if one does, and the flags after it."""
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], arguments[1:]
    return None, arguments


def preset_named(name: str) -> "PretrainConfig":
    """The configuration of a preset.

    Raises:
        UsageError: There is none of that name.
    """
    from rmae.presets import PRESETS, preset

    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}{suggest(name, PRESETS)}")
    return preset(name)
