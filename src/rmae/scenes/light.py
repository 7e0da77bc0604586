"""Changes of light, as tables that say what becomes of each brightness."""

import numpy as np

_GAIN = 0.18
_CONTRAST = 0.1
_GAMMA = 0.2
_TINT = 0.05
_BRIGHTNESSES = np.linspace(0, 1, 256)


def draw_light(generator: np.random.Generator, *, strength: float = 1.0) -> np.ndarray:
    """Draw a small change of brightness, contrast, gamma and tint.

    Args:
        generator: Where the randomness comes from.
        strength: 1 = brightness changes by up to 20 %, the others by less; in proportion.

    Returns:
        What each of the 256 values of red, of green and of blue becomes; shape (3, 256) uint8.
    """
    gain, contrast, gamma, *tint = np.exp(
        strength * generator.uniform(-1, 1, 6) * np.array([_GAIN, _CONTRAST, _GAMMA, _TINT, _TINT, _TINT])
    )
    curve = 0.5 + contrast * (_BRIGHTNESSES**gamma - 0.5)
    return np.clip(np.rint(255 * np.multiply.outer(gain * np.array(tint), curve)), 0, 255).astype(np.uint8)
