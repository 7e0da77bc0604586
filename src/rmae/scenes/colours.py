"""Colours of grounds and objects: far enough apart to be told from each other, and perhaps of a hue by class."""

import numpy as np

FAR_ENOUGH = 0.3
"""Distance in RGB, full scale = 1, that an object keeps from its ground and from other objects where it can."""

_NUM_CANDIDATES = 48
_SATURATIONS = (0.1, 0.8)
_CLASS_SATURATIONS = (0.45, 0.8)
_CLASS_HUE_WIDTH = 0.5
_VALUES = (0.25, 0.95)


def draw_palettes(
    num: int, spread: tuple[float, float], generator: np.random.Generator, *, hue: float | None = None
) -> np.ndarray:
    """Draw palettes: pairs of colours between which a texture varies.

    Args:
        num: Number of palettes.
        spread: Least and largest share of the way from the first colour to another one that the second is away.
        generator: Where the randomness comes from.
        hue: In [0, 6): 0 = red, 2 = green, 4 = blue; colours are near it, and not pale. None = any.

    Returns:
        Shape (num, 2, 3) float32, RGB in [0, 1].
    """
    colours = _draw_colours((2, num), generator, hue)
    shares = generator.uniform(*spread, (num, 1))
    ends = np.stack([colours[0], colours[0] + shares * (colours[1] - colours[0])], axis=1)
    return ends.astype(np.float32)


def draw_palette_apart(
    others: np.ndarray, spread: tuple[float, float], generator: np.random.Generator, *, hue: float | None = None
) -> np.ndarray:
    """Draw a palette that can be told from others.

    Args:
        others: Shape (P, 2, 3), P at least 1.
        spread: As of `draw_palettes`.
        generator: Where the randomness comes from.
        hue: As of `draw_palettes`.

    Returns:
        Shape (2, 3) float32: the first of some candidates that is `FAR_ENOUGH` from all others, or else the farthest.
    """
    candidates = draw_palettes(_NUM_CANDIDATES, spread, generator, hue=hue)
    distances = _distances(candidates, others).min(axis=1)
    far = distances >= FAR_ENOUGH
    return candidates[far.argmax() if far.any() else distances.argmax()]


def _distances(palettes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Least distance between the colours of (C, 2, 3) and those of (P, 2, 3) palettes, shape (C, P)."""
    mine, theirs = _between(palettes), _between(others)
    differences = mine[:, None, :, None] - theirs[None, :, None]  # (C, P, steps, steps, 3)
    return np.sqrt((differences**2).sum(axis=-1)).min(axis=(2, 3))


def _between(palettes: np.ndarray, num_steps: int = 5) -> np.ndarray:
    """Colours from one end of palettes (P, 2, 3) to the other, shape (P, num_steps, 3)."""
    shares = np.linspace(0, 1, num_steps, dtype=np.float32)[:, None]
    return palettes[:, :1] * (1 - shares) + palettes[:, 1:] * shares


def _draw_colours(shape: tuple[int, ...], generator: np.random.Generator, near: float | None) -> np.ndarray:
    """Draw hue, saturation and value uniformly, perhaps near a hue alone; RGB in [0, 1], shape (*shape, 3)."""
    hues = (0.0, 6.0) if near is None else (near - _CLASS_HUE_WIDTH, near + _CLASS_HUE_WIDTH)
    hue = generator.uniform(*hues, (*shape, 1))
    saturation = generator.uniform(*(_SATURATIONS if near is None else _CLASS_SATURATIONS), (*shape, 1))
    value = generator.uniform(*_VALUES, (*shape, 1))
    sector = (np.array([5, 3, 1]) + hue) % 6
    return value * (1 - saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1))
