"""Random erasing: a rectangle of a picture filled with noise."""

import math
from collections.abc import Sequence

import numpy as np

_AREA = (0.02, 1 / 3)  # share of the picture that a rectangle covers
_ASPECT = (0.3, 1 / 0.3)  # its height over its width
_ATTEMPTS = 10


def erase_rectangle(
    pixels: np.ndarray, *, mean: Sequence[float], std: Sequence[float], generator: np.random.Generator
) -> np.ndarray:
    """Fill a rectangle of a picture with noise, each value of it drawn by itself.

    Args:
        pixels: Shape (M, h, w) uint8.
        mean: Of each channel, full scale = 1: the noise has it.
        std: Of each channel, full scale = 1: the noise has it too, but for what a byte cannot hold, which is clipped.
        generator: Where the randomness comes from.

    Returns:
        Shape (M, h, w) uint8, a copy. Where none of ten rectangles fits, nothing is erased.

    Source:
        Zhong et al., Random Erasing Data Augmentation (2017), with the ranges and the noise of timm's mode "pixel".
    """
    height, width = pixels.shape[1:]
    erased = pixels.copy()
    for _ in range(_ATTEMPTS):
        area = height * width * generator.uniform(*_AREA)
        aspect = math.exp(generator.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if rows < height and columns < width:
            top, left = generator.integers(height - rows + 1), generator.integers(width - columns + 1)
            noise = generator.standard_normal((len(pixels), rows, columns), dtype=np.float32)
            noise = noise * _per_channel(std) + _per_channel(mean)
            erased[:, top : top + rows, left : left + columns] = np.rint(255 * noise).clip(0, 255)
            break
    return erased


def _per_channel(values: Sequence[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(-1, 1, 1)
