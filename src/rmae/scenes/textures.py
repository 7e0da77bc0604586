"""Textures: gradients, stripes and smooth noise, and pictures of them in two colours."""

import numpy as np
from PIL import Image

_KINDS = ("gradient", "stripes", "noise")


def draw_texture(size_hw: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw a texture of a kind at random.

    Args:
        size_hw: Height and width in pixels.
        generator: Where the randomness comes from.

    Returns:
        Shape (H, W) float32 in [0, 1].
    """
    kind = _KINDS[generator.integers(len(_KINDS))]
    side = min(size_hw)
    if kind == "noise":
        coarse = generator.uniform(side / 8, side / 2)
        return 0.7 * _smooth_noise(size_hw, coarse, generator) + 0.3 * _smooth_noise(size_hw, coarse / 3, generator)
    along = _project(size_hw, generator.uniform(0, 2 * np.pi))
    if kind == "gradient":
        return (along - along.min()) / np.ptp(along)
    wavelength = generator.uniform(max(6.0, side / 20), max(9.0, side / 4))
    bend = generator.uniform(0, 1.5) * _smooth_noise(size_hw, side / 2, generator)
    waves = np.sin(2 * np.pi * (along / wavelength + bend + generator.random()))
    sharpness = generator.uniform(0.5, 4)
    return np.clip(0.5 + 0.5 * np.tanh(sharpness * waves) / np.tanh(sharpness), 0, 1).astype(np.float32)


def colour_texture(texture: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colour a texture (H, W) in [0, 1] from the first to the second colour of a palette (2, 3); shape (H, W, 3)."""
    return palette[0] + texture[..., None] * (palette[1] - palette[0])


def _project(size_hw: tuple[int, int], angle: float) -> np.ndarray:
    """Distance of pixels in a direction, shape (H, W) float32."""
    y, x = np.ogrid[: size_hw[0], : size_hw[1]]
    return (np.cos(angle) * x + np.sin(angle) * y).astype(np.float32)


def _smooth_noise(size_hw: tuple[int, int], grain: float, generator: np.random.Generator) -> np.ndarray:
    """Noise whose values change over about `grain` pixels, shape (H, W) float32 in [0, 1]."""
    height, width = size_hw
    knots_hw = tuple(int(np.ceil(side / grain)) + 1 for side in size_hw)
    knots = generator.random(knots_hw, dtype=np.float32)
    return np.clip(np.asarray(Image.fromarray(knots).resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
