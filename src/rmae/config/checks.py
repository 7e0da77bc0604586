"""Checks that configurations share."""

import math
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

from rmae.quoting import one_line, quoted

_LARGEST = 2**63  # of a whole number, as torch has them


def require(condition: bool, sentence: str) -> None:
    """Raise a ValueError with the sentence unless the condition holds."""
    if not condition:
        raise ValueError(sentence)


def check_values(config: Any) -> None:
    """Check what holds for every knob: a choice is one of those named, and a number is finite."""
    for knob in fields(config):
        value = getattr(config, knob.name)
        if get_origin(knob.type) is Literal:
            choices = get_args(knob.type)
            require(value in choices, f"{knob.name} is {quoted(value)}; it must be one of {', '.join(choices)}")
        length = len(get_args(knob.type))
        if get_origin(knob.type) is tuple and Ellipsis not in get_args(knob.type):
            require(len(value) == length, f"{knob.name} is {one_line(value)}; give {length} values")
        numbers = value if isinstance(value, tuple) else (value,)
        countable = all(abs(number) < _LARGEST for number in numbers if isinstance(number, int))
        require(countable, f"{knob.name} is too large; a whole number must lie within 2^63")
        finite = all(math.isfinite(number) for number in numbers if isinstance(number, float))
        require(finite, f"{knob.name} is {one_line(value)}; it must be finite")


def check_width(name: str, width: int, **heads: int) -> None:
    """Check that a width fits the positions, and each of the numbers of attention heads, given by name."""
    require(width % 4 == 0, f"{name} is {width}; it must be divisible by 4 for the sine-cosine positions")
    for heads_name, num_heads in heads.items():
        require(width % num_heads == 0, f"{name} {width} is not divisible by {heads_name} {num_heads}")
