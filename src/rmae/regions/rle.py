"""COCO's run-length encoding of masks, as COCO and SA-1B files carry it."""

from array import array
from collections.abc import Mapping, Sequence

import numpy as np

from rmae.regions.placed_mask import PlacedMask

_MOST_CHARACTERS = 7  # of one number: 35 bits, more than any picture has pixels


def place_rle(size: tuple[int, int], counts: str | Sequence[int]) -> PlacedMask:
    """Decode a mask from COCO run lengths, compressed or plain: no more than the smallest box that holds it.

    Args:
        size: Height and width of the mask in pixels.
        counts: Lengths of runs, off and on in turn, down the columns; either whole numbers or COCO's compressed string.

    Returns:
        The mask in its box.

    Raises:
        ValueError: The runs do not fill the mask exactly, are no whole numbers, or the string is malformed.

    Source:
        cocodataset/cocoapi, `common/maskApi.c`, for the form of the compressed string.
    """
    height, width = size
    runs = _decompress(counts) if isinstance(counts, str) else _whole_numbers(counts)
    num_pixels = height * width
    # No run is longer than the mask where they are added up, so that their sum cannot leave 64 bits.
    if ((runs < 0) | (runs > num_pixels)).any() or runs.sum() != num_pixels:
        raise ValueError(f"a run-length mask of {height} x {width} pixels has runs that do not fill it exactly")
    stops = np.cumsum(runs)[1::2]
    lengths = runs[1::2][runs[1::2] > 0]
    starts = stops[runs[1::2] > 0] - lengths
    if not len(starts):
        return PlacedMask(0, 0, np.zeros((0, 0), dtype=bool))
    return _fill_box(starts, lengths, height)


def _fill_box(starts: np.ndarray, lengths: np.ndarray, height: int) -> PlacedMask:
    """Draw runs, at least one, given by where they start down the columns and their lengths in pixels, all above 0."""
    first_columns, first_rows = np.divmod(starts, height)
    last_columns, last_rows = np.divmod(starts + lengths - 1, height)
    left, num_columns = int(first_columns[0]), int(last_columns[-1] - first_columns[0]) + 1
    top, num_rows = 0, height  # what a run needs that goes on in the next column
    if (first_columns == last_columns).all():
        top = int(first_rows.min())
        num_rows = int(last_rows.max()) + 1 - top
    edges = np.zeros(2 * len(starts) + 2, dtype=np.int64)  # where off and on change, down the columns of the box
    edges[1:-1:2] = (first_columns - left) * num_rows + first_rows - top
    edges[2:-1:2] = edges[1:-1:2] + lengths
    edges[-1] = num_rows * num_columns
    on = np.arange(len(edges) - 1) % 2 == 1
    columns = np.repeat(on, np.diff(edges)).reshape(num_columns, num_rows)
    return PlacedMask(top, left, np.ascontiguousarray(columns.T))


def _whole_numbers(counts: Sequence[int]) -> np.ndarray:
    """Plain run lengths as an array (n,) int64."""
    try:
        # Not by numpy, which would give every number the room of the longest word among them.
        if isinstance(counts, Mapping):
            raise TypeError
        numbers = counts if isinstance(counts, array) else array("q", counts)
        return np.asarray(numbers).astype(np.int64, casting="safe")
    except (TypeError, OverflowError):
        raise ValueError(
            "a run-length mask has runs that are no whole numbers of pixels; give one integer for each run"
        ) from None


def _decompress(text: str) -> np.ndarray:
    """Read run lengths (n,) int64 of 5 bits a character, low bits first; a sixth bit says that more follow.

    From the fourth on, they are differences to the last but one.
    """
    bits = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64) - 48
    unknown = np.flatnonzero((bits < 0) | (bits >= 64))
    if len(unknown):
        raise ValueError(f"a compressed run-length mask holds {text[unknown[0]]!r}, which that form does not use")
    if not len(bits):
        return bits
    last = np.flatnonzero(bits < 32)  # last character of each number
    if not len(last) or last[-1] != len(bits) - 1:
        raise ValueError("a compressed run-length mask ends in the middle of a number")
    first = np.concatenate([[0], last[:-1] + 1])
    num_characters = last - first + 1
    if num_characters.max() > _MOST_CHARACTERS:
        raise ValueError(
            "a compressed run-length mask has runs that are no whole numbers of pixels: "
            f"one has {num_characters.max()} characters, where {_MOST_CHARACTERS} are enough for any picture"
        )
    places = np.arange(len(bits)) - np.repeat(first, num_characters)
    runs = np.add.reduceat((bits & 31) << 5 * places, first)
    negative = (bits[last] & 16) != 0
    runs -= negative.astype(np.int64) << 5 * num_characters
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
