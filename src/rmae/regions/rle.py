"""COCO's run-length encoding of masks, as SA-1B files carry it."""

import numpy as np


def decode_rle(size: tuple[int, int], counts: str | list[int]) -> np.ndarray:
    """Decode a mask from COCO run lengths, compressed or plain.

    Args:
        size: Height and width of the mask in pixels.
        counts: Lengths of runs, off and on in turn, down the columns; either a list or COCO's compressed string.

    Returns:
        Shape (H, W) bool.

    Raises:
        ValueError: The runs do not fill the mask exactly, or the string is malformed.

    Source:
        cocodataset/cocoapi, `common/maskApi.c`, for the form of the compressed string.
    """
    height, width = size
    try:
        runs = np.asarray(_decompress(counts) if isinstance(counts, str) else counts, dtype=np.int64)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a run-length mask has runs that are no whole numbers of pixels ({error})") from error
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"a run-length mask of {height} x {width} pixels has runs that do not fill it exactly")
    on = np.arange(len(runs)) % 2 == 1
    return np.repeat(on, runs).reshape(width, height).T


def _decompress(text: str) -> list[int]:
    """Read run lengths of 5 bits a character, low bits first; from the fourth on, differences to the last but one."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"a compressed run-length mask holds {character!r}, which that form does not use")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    if shift:
        raise ValueError("a compressed run-length mask ends in the middle of a number")
    return runs
