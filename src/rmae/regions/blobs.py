"""Blobs: compact, irregular shapes of a given number of pixels."""

import math

import numpy as np

from rmae.regions.placed_mask import PlacedMask

_WAVES = np.array([0.2, 0.15, 0.1, 0.08, 0.05])
"""By what share of its mean the radius of a blob varies once, twice, ... around it, at most."""


def draw_blob(area: int, height: int, width: int, generator: np.random.Generator) -> PlacedMask:
    """Draw a compact, irregular shape around a random place of an image; the image's edge cuts nothing off.

    Args:
        area: Its number of pixels, 1 to height * width.
        height: Of the image in pixels.
        width: Of the image in pixels.
        generator: Gives the place and the shape.

    Returns:
        The blob: `nearest_pixels` to a random place, for a random radius.
    """
    centre = complex(generator.uniform(-0.5, width - 0.5), generator.uniform(-0.5, height - 0.5))
    phases = np.exp(2j * np.pi * generator.uniform(0, 1, len(_WAVES)))
    waves = _WAVES * generator.uniform(0, 1, len(_WAVES)) * phases
    return nearest_pixels(area, centre, waves, height, width)


def nearest_pixels(area: int, centre: complex, waves: np.ndarray, height: int, width: int) -> PlacedMask:
    """Find the pixels of an image that are nearest to a place, farther in some directions than in others.

    Args:
        area: How many pixels, 1 to height * width.
        centre: The place: x + i y in pixels, from the centre of the upper left pixel.
        waves: Shape (n,) complex, absolute values of less than 1 together. Distances in the direction of the angle a
            are divided by the radius 1 + sum of |waves_k| cos((k + 1) a + angle of waves_k), k = 0 .. n - 1.
        height: Of the image in pixels.
        width: Of the image in pixels.

    Returns:
        So many pixels; of those that are equally far, the upper ones.
    """
    largest = 1 + np.abs(waves).sum()
    reach = largest * math.sqrt(area / math.pi) + 1  # pixels around the centre that are looked at
    while True:
        top, bottom = max(0, math.floor(centre.imag - reach)), min(height, math.ceil(centre.imag + reach) + 1)
        left, right = max(0, math.floor(centre.real - reach)), min(width, math.ceil(centre.real + reach) + 1)
        num_pixels = (bottom - top) * (right - left)
        if num_pixels >= area:
            offsets = np.arange(left, right) + 1j * np.arange(top, bottom)[:, None] - centre
            distances = _distances(offsets, waves)
            farthest = np.partition(distances, area - 1, axis=None)[area - 1]
            # A pixel that was not looked at is farther than this: it is beyond reach, and divided by `largest` at most.
            if farthest * largest <= reach or num_pixels == height * width:
                return PlacedMask(top, left, _first(distances <= farthest, area))
        reach *= 1.5


def _distances(offsets: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Distances of places (h, w) complex from the origin, divided by the blob's radius in their directions."""
    lengths = np.abs(offsets)
    directions = offsets / np.maximum(lengths, 1e-9)
    radius = np.polyval([*waves[::-1], 1], directions).real  # 1 + sum of waves_k directions^k
    return lengths / radius


def _first(mask: np.ndarray, number: int) -> np.ndarray:
    """Keep so many of a mask's pixels: pixels as far from the centre as the farthest may be too many."""
    flat = np.zeros(mask.size, dtype=bool)
    flat[np.flatnonzero(mask)[:number]] = True
    return flat.reshape(mask.shape)
