"""Jitter of colours."""

import numpy as np
import torch
from torchvision.transforms.v2 import functional

_BRIGHTNESS = 1 / 8  # of the full scale, added or taken away
_CONTRAST = _SATURATION = 0.5  # how far a factor may be from 1
_HUE = 0.1  # of the circle, either way


def jitter_colors(image: np.ndarray, *, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, saturation and hue, each with probability 1/2.

    Args:
        image: Shape (3, h, w) uint8, RGB.
        strength: In [0, 1]: 0 changes nothing, 1 up to an eighth of the full scale in brightness, factors of 0.5 to 1.5
            in contrast and saturation, and a tenth of the circle in hue.
        generator: Where the randomness comes from; as much is drawn whatever the strength.

    Returns:
        A new array, shape (3, h, w) uint8.

    Source:
        The amounts of mmsegmentation's photometric distortion.
    """
    chosen = generator.random(4) < 0.5
    amounts = strength * generator.uniform(-1, 1, 4)
    pixels = torch.from_numpy(image.astype(np.float32)) / 255
    if chosen[0]:
        pixels = (pixels + _BRIGHTNESS * amounts[0]).clamp_(0, 1)
    if chosen[1]:
        pixels = functional.adjust_contrast(pixels, 1 + _CONTRAST * amounts[1])
    if chosen[2]:
        pixels = functional.adjust_saturation(pixels, 1 + _SATURATION * amounts[2])
    if chosen[3]:
        pixels = functional.adjust_hue(pixels, _HUE * amounts[3])
    return (pixels * 255).round_().to(torch.uint8).numpy()
