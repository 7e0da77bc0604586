"""Flags of commands as a mapping, so that what varies can be laid over what does not."""

from collections.abc import Mapping

Value = str | int | float | bool | None | tuple[str | int | float, ...]
"""Of one flag; a flag with several values is a tuple of them, True and False are `--flag` and `--no-flag`."""
Flags = Mapping[str, Value]
"""By name, written as the knob is in `rmae.config`: `mask_ratio` is `--mask-ratio`."""


def as_arguments(flags: Flags) -> tuple[str, ...]:
    """Write flags as they stand on the command line.

    Args:
        flags: In the order in which they are to stand.

    Returns:
        Words for the shell, not quoted.

    Example:
        >>> as_arguments({"mask_ratio": 0.5, "compile": False, "crop_scale": (0.2, 1.0), "updates": None})
        ('--mask-ratio', '0.5', '--no-compile', '--crop-scale', '0.2', '1', '--updates', 'None')
    """
    words: list[str] = []
    for name, value in flags.items():
        flag = name.replace("_", "-")
        match value:
            case True:
                words.append(f"--{flag}")
            case False:
                words.append(f"--no-{flag}")
            case tuple():
                words += [f"--{flag}", *map(_in_words, value)]
            case _:
                words += [f"--{flag}", _in_words(value)]
    return tuple(words)


def _in_words(value: str | int | float | None) -> str:
    """One value; whole numbers without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
