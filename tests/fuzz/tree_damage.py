"""Damage to JSON: other types, absurd numbers, missing and doubled keys, deep nesting, words that mean harm."""

import copy
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fuzz.byte_damage import damage_bytes

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 255, 2**15, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64,
    -(2**63) - 1, 10**30, -(10**30), 10**400, 0.5, -0.5, -0.0, 1.0, 2.0, 1e308, -1e308, 5e-324, 1e19, math.nan,
    math.inf, -math.inf, "", "x", "1", "nan", "true", "\0", "a\nb", "a\r\x1b[2Jb", "\ud800", "é" * 300, "a" * 20_000,
    "../../etc/passwd", "/etc/passwd", "..", ".", "a/../../b.jpg", "C:\\x", "<img src=x onerror=alert(1)>", "{}", "[]",
    "%s%n", [], {}, [[]],
    [0], [-1], ["a"], [None], {"": None}, {"a": 1}, [1, "a", None], [[1, 2], [3]], [0] * 1000,
)  # fmt: skip
"""What takes the place of values."""
_RAW = ("[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "1e999", "9" * 5000, "-", "NaN", "0x10")
"""What cannot be made by writing values."""


class _Place(NamedTuple):
    holder: Any
    key: Any


def damage_tree(generator: np.random.Generator, value: Any) -> Any:
    """Change what JSON holds in one to a few places.

    Args:
        generator: Where the changes are drawn from.
        value: As `json.loads` gives it; it stays as it is.

    Returns:
        The changed value, for `as_json`.
    """
    root = [copy.deepcopy(value)]
    for _ in range(int(generator.geometric(0.6))):
        places = list(_places(root))
        _change(generator, places[int(generator.integers(len(places)))], places)
    return root[0] if root else None


def as_json(generator: np.random.Generator, value: Any) -> bytes:
    """Write JSON, now and then with a key twice, with what is no value, in another encoding or damaged."""
    text = json.dumps(value, ensure_ascii=generator.random() < 0.5)
    for number, raw in enumerate(_RAW):
        text = text.replace(f'"<raw {number}>"', raw)
    if generator.random() < 0.05:
        text = text.replace("{", "{" + text[text.find("{") + 1 : text.find(",") + 1], 1)  # the first entry twice
    encoding = "utf-8" if generator.random() < 0.97 else str(generator.choice(("utf-16", "utf-32", "utf-8-sig")))
    content = text.encode(encoding, "surrogatepass")
    return damage_bytes(generator, content, [content]) if generator.random() < 0.15 else content


def damage_json(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change a JSON file, mostly in its values, and now and then in its bytes."""
    if generator.random() < 0.1:
        return damage_bytes(generator, content, others)
    return as_json(generator, damage_tree(generator, json.loads(content)))


def damage_values(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change a JSON file into another one, for readers that are given what JSON holds."""
    while True:
        damaged = damage_json(generator, content, others)
        try:
            json.loads(damaged)
        except (ValueError, RecursionError):
            continue
        return damaged


def damage_lines(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change a file of a JSON value a line."""
    if generator.random() < 0.1:
        return damage_bytes(generator, content, others)
    lines = content.splitlines()
    chosen = int(generator.integers(len(lines)))
    lines[chosen] = damage_json(generator, lines[chosen])
    return b"\n".join(lines) + b"\n"


def _places(value: Any) -> Any:
    """Every place of a value below this one."""
    for key in range(len(value)) if isinstance(value, list) else list(value):
        yield _Place(value, key)
        if isinstance(value[key], list | dict):
            yield from _places(value[key])


def _odd(generator: np.random.Generator) -> Any:
    if generator.random() < 0.03:
        return f"<raw {int(generator.integers(len(_RAW)))}>"
    return copy.deepcopy(ODD_VALUES[int(generator.integers(len(ODD_VALUES)))])


def _change(generator: np.random.Generator, place: _Place, places: Sequence[_Place]) -> None:
    holder, key = place
    other = places[int(generator.integers(len(places)))]
    match int(generator.integers(10)):
        case 0 | 1 | 2 | 3:
            holder[key] = _odd(generator)
        case 4:
            holder[key] = copy.deepcopy(other.holder[other.key])
        case 5 if len(holder) > 1:
            del holder[key]
        case 6 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case 6:
            new = ("", "\ud800", "a\nb", "k" * 5000, str(other.key), f"{key}x")[int(generator.integers(6))]
            holder[new] = holder[key] if generator.random() < 0.5 else holder.pop(key)
        case 7:
            holder[key] = [holder[key]] if generator.random() < 0.5 else {"a": holder[key]}
        case _:
            holder[key] = _near(generator, holder[key])


def _near(generator: np.random.Generator, value: Any) -> Any:
    """Something of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            near = (
                value + 1,
                value - 1,
                -value,
                value * 1000,
                float(value) if abs(value) < 2**1000 else value,
                str(value),
            )
            return near[int(generator.integers(len(near)))]
        case float():
            return (value * 1e9, -value, str(value), value + 1)[int(generator.integers(4))]
        case str():
            damaged = damage_bytes(generator, value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")
            return (damaged, value * 50, value.upper(), value[:-1])[int(generator.integers(4))]
        case list():
            return value * 3 if len(value) < 1000 else value[:1]
        case _:
            return _odd(generator)
