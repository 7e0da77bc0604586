"""Damage to bytes."""

from collections.abc import Sequence

import numpy as np

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 2**15 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
"""Numbers at which arithmetic goes wrong; smaller fields take their lowest bytes."""
_LONGEST = 64  # bytes that are put in, taken out or moved at once, but for now and then


def damage_bytes(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change bytes in one to a few ways: flips, numbers written over, parts taken out, put in, moved, doubled or cut.

    Args:
        generator: Where the changes are drawn from.
        content: What is changed.
        others: Further contents, parts of which may be put in.

    Returns:
        The changed bytes; now and then the same ones.
    """
    changed = bytearray(content)
    for _ in range(int(generator.geometric(0.5))):
        changed = _change(generator, changed, others)
    return bytes(changed)


def _change(generator: np.random.Generator, content: bytearray, others: Sequence[bytes]) -> bytearray:
    start = int(generator.integers(len(content) + 1))
    stop = min(len(content), start + _length(generator))
    part = content[start:stop]
    match int(generator.integers(10)):
        case 0 | 1:
            for place in generator.integers(len(content), size=generator.integers(1, 5)) if content else ():
                content[place] ^= 1 << int(generator.integers(8))
            return content
        case 2 | 3:
            return _write_number(generator, content, start)
        case 4:
            return content[:start] + content[stop:]
        case 5:
            return content[:start] + generator.bytes(len(part) or 1) + content[start:]
        case 6:
            return content[:stop] + part * int(generator.integers(1, 9)) + content[stop:]
        case 7:
            return content[:start] + generator.bytes(len(part)) + content[stop:]
        case 8:
            other = others[int(generator.integers(len(others)))] if len(others) else bytes(content)
            return content[:start] + other[int(generator.integers(len(other) + 1)) :]
        case _:
            return content[:start]


def _write_number(generator: np.random.Generator, content: bytearray, start: int) -> bytearray:
    size = int(generator.choice((1, 2, 4, 8)))
    number = EDGES[int(generator.integers(len(EDGES)))] % 256**size
    order = "big" if generator.random() < 0.5 else "little"
    return content[:start] + number.to_bytes(size, order) + content[start + size :]


def _length(generator: np.random.Generator) -> int:
    return int(generator.integers(1, _LONGEST if generator.random() < 0.9 else 64 * _LONGEST))
