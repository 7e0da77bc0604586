"""Values of patches laid over a picture: dark violet for the lowest, bright yellow for the highest."""

from functools import cache

import numpy as np
from PIL import Image

from rmae.data.crops import Crop, sample_positions

HEAT_STEPS = 256
"""Colours of the scale."""

_COLOUR_MAP = "inferno"  # lightness rises evenly along it, for colour-blind eyes and on grey paper too
_FAINTEST, _STRONGEST = 0.3, 0.82  # share of the colour where a value is lowest and highest; the rest is the picture
_DIMMED = 0.75  # brightness of the greyed picture, so that bright places in it do not pass for high values
_MARK, _AROUND_MARK = (255, 255, 255), (0, 0, 0)  # together seen on every colour
_SIDE_A_LINE = 200  # pixels of the picture's longer side for each pixel of a frame's width


def draw_heat_map(
    values: np.ndarray,
    image: np.ndarray,
    *,
    query: tuple[int, int] | None = None,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Lay values over a picture in grey, each as one flat block, so that nothing looks finer than it is.

    Args:
        values: Shape (h, w), float or integer; the picture is divided evenly among them. One a patch, say.
        image: Shape (H, W, 3) uint8.
        query: Row and column of the value to mark with a frame; None = none.
        limits: Values that get the first and the last colour; what lies beyond them gets the same. None = 0, or the
            lowest value where that is below 0, and the highest.

    Returns:
        Shape (H, W, 3) uint8.

    Raises:
        ValueError: A value is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError("a heat map has values that are not finite; look for NaN in the weights or in the picture")
    low, high = (min(0.0, float(values.min())), float(values.max())) if limits is None else limits
    shares = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros(values.shape)
    blocks = spread_evenly(shares, (image.shape[0], image.shape[1]))  # (H, W)
    strength = (_FAINTEST + (_STRONGEST - _FAINTEST) * blocks)[..., None]
    colours = heat_colours()[np.rint(blocks * (HEAT_STEPS - 1)).astype(np.intp)]  # (H, W, 3)
    grey = _DIMMED * np.asarray(Image.fromarray(image).convert("L"), np.float32)[..., None]
    drawn = np.rint(strength * colours + (1 - strength) * grey).astype(np.uint8)
    return drawn if query is None else mark_block(drawn, query, (values.shape[0], values.shape[1]))


def mark_block(image: np.ndarray, block: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """Draw a white frame with a black edge around one block of a picture that is divided evenly.

    Args:
        image: Shape (H, W, 3) uint8.
        block: Row and column of the block.
        grid: Number of rows and columns of blocks.

    Returns:
        A new array, shape (H, W, 3) uint8. The frame lies around the block, and at the picture's border inside it.
    """
    height, width = image.shape[:2]
    thickness = max(1, round(max(height, width) / _SIDE_A_LINE))
    sides = []
    for place, number, length in zip(block, grid, (height, width), strict=True):
        start, stop = place * length // number, -(-(place + 1) * length // number)
        sides.append((max(0, start - 2 * thickness), min(length, stop + 2 * thickness)))
    (top, bottom), (left, right) = sides
    drawn = image.copy()
    for margin, colour in ((0, _AROUND_MARK), (thickness, _MARK)):
        rows, columns = slice(top + margin, bottom - margin), slice(left + margin, right - margin)
        window = drawn[rows, columns]
        window[:thickness] = window[-thickness:] = colour
        window[:, :thickness] = window[:, -thickness:] = colour
    return drawn


def spread_evenly(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Bring values to the pixels of a picture that is divided evenly among them: nearest at pixel centres.

    Args:
        values: Shape (h, w, ...), any dtype.
        size_hw: Height H and width W of the picture in pixels.

    Returns:
        Shape (H, W, ...), same dtype.
    """
    rows, columns = sample_positions(Crop(0, 0, values.shape[0], values.shape[1], False), size_hw)
    return values[rows[:, None], columns]


@cache
def heat_colours() -> np.ndarray:
    """The scale from the lowest value to the highest; shape (HEAT_STEPS, 3) float32 in 0..255, not to be changed."""
    import matplotlib as mpl

    colours = mpl.colormaps[_COLOUR_MAP](np.linspace(0, 1, HEAT_STEPS))[:, :3]
    return (255 * colours).astype(np.float32)
