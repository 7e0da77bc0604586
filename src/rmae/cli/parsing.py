"""Flags to dataclasses; what is wrong with them becomes one sentence."""

import difflib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr
from dataclasses import fields, is_dataclass
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry

Arguments = TypeVar("Arguments")


class UsageError(Exception):
    """The command line makes no sense; the message says why in one sentence."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the nearest of the known words, or all of them, in brackets."""
    known = list(known)
    if not known:
        return ""
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else f" (there are: {', '.join(known)})"


def value_of(flag: str, arguments: list[str]) -> str | None:
    """What is given to a flag, found before anything is parsed; None where the flag is not given."""
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
        if argument == flag:
            return arguments[place + 1] if place + 1 < len(arguments) else None
    return None


def parse(
    kind: type[Arguments],
    command: str,
    arguments: list[str],
    *,
    default: Arguments | None = None,
    operands: str = "",
    advice: str = "",
    registry: "ConstructorRegistry | None" = None,
) -> Arguments:
    """Parse flags into a dataclass.

    Args:
        kind: The dataclass; its docstrings are the help.
        command: Name of the command.
        arguments: What stands after it.
        default: Where flags that are not given come from.
        operands: What the usage names after the command.
        advice: Where to look up the flags; nothing = the command's own help.
        registry: How fields of other types are read.

    Raises:
        UsageError: The flags are wrong.
    """
    import tyro

    advice = advice or f"rmae {command} --help"
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            parsed, unknown = tyro.cli(
                kind,
                prog=f"rmae {command} {operands}".rstrip(),
                description=cleandoc(kind.__doc__ or "").partition("\n\nSource:")[0],
                args=arguments,
                default=tyro.MISSING_NONPROP if default is None else default,
                config=(tyro.conf.OmitArgPrefixes,),
                registry=registry,
                return_unknown_args=True,
            )
    except SystemExit as error:
        if not error.code:
            raise
        raise UsageError(f"{_first_paragraph(complaint.getvalue())}; see {advice}") from None
    if unknown:
        near = suggest(unknown[0], _flags(kind))
        if not unknown[0].startswith("-"):
            near = (
                " (options start with --, and a preset comes before them)" if operands else " (options start with --)"
            )
        raise UsageError(f"there is no option {unknown[0]}{near}; see {advice}")
    return parsed


def _first_paragraph(box: str) -> str:
    """What a boxed message says, without its title, its frame and its advice below the first rule."""
    words: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip("│ ")
        is_rule = set(text) <= set("─-╰╯")  # dashes where the terminal has no box characters; empty lines too
        if is_rule and words:
            break
        if not is_rule:
            words.append(text)
    return re.sub(r"^Error parsing (?:[\w.]+: )?", "", " ".join(words))


def _flags(kind: Any) -> Iterator[str]:
    for field in fields(kind):
        if is_dataclass(field.type):
            yield from _flags(field.type)
        else:
            yield f"--{field.name.replace('_', '-')}"
