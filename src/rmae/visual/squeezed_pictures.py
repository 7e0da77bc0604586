"""What a model saw of a picture, squeezed to its own size, brought back to the shape of the picture."""

import numpy as np
from PIL import Image

from rmae.visual.heat_maps import spread_evenly
from rmae.visual.outlines import draw_outline
from rmae.visual.pictures import HIDDEN_COLOUR, draw_region

_DIMMED = 0.35  # brightness of the grey picture around a region
_LEAST_WEIGHT = 1e-6


def show_squeezed(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Bring a picture at a model's size to the size at which it is shown.

    Args:
        image: Shape (h, w, 3) uint8.
        size_hw: Height H and width W in pixels.

    Returns:
        Shape (H, W, 3) uint8, smooth where it was enlarged.
    """
    height, width = size_hw
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def show_visible(image: np.ndarray, hidden: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The same with hidden patches grey; their pixels have no part in the result, not even at the edge of others.

    Args:
        image: Shape (h, w, 3) uint8.
        hidden: Shape (rows, columns) bool, True where the patch is hidden; rows and columns divide h and w.
        size_hw: Height H and width W in pixels.

    Returns:
        Shape (H, W, 3) uint8.
    """
    model_hw = (image.shape[0], image.shape[1])
    weights = (~spread_evenly(hidden, model_hw)).astype(np.float32)
    total = _resize(weights, size_hw)[..., None]
    channels = [_resize(image[..., channel] * weights, size_hw) for channel in range(3)]
    seen = np.rint(np.stack(channels, axis=-1) / np.maximum(total, _LEAST_WEIGHT)).clip(0, 255).astype(np.uint8)
    return np.where(spread_evenly(hidden, size_hw)[..., None], np.array(HIDDEN_COLOUR, np.uint8), seen)


def draw_squeezed_region(
    region: np.ndarray, size_hw: tuple[int, int], *, hidden: np.ndarray | None = None
) -> np.ndarray:
    """Draw a region map at a model's size, in the colours of `draw_region`.

    Args:
        region: Shape (h, w): bool, or float as the probability in [0, 1] that a pixel belongs to the region.
        size_hw: Height H and width W in pixels, the longer of them at least 192.
        hidden: Patches to paint grey, shape (rows, columns) bool; None = none.

    Returns:
        Shape (H, W, 3) uint8.
    """
    drawn = draw_region(spread_evenly(region, size_hw) if region.dtype == np.bool_ else _resize(region, size_hw))
    if hidden is None:
        return drawn
    return np.where(spread_evenly(hidden, size_hw)[..., None], np.array(HIDDEN_COLOUR, np.uint8), drawn)


def highlight_region(photo: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Show a region outlined and as it is, and everything else dark and grey.

    Args:
        photo: Shape (H, W, 3) uint8.
        region: Shape (H, W) bool.

    Returns:
        Shape (H, W, 3) uint8.
    """
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32)[..., None]
    shown = np.where(region[..., None], photo, np.rint(_DIMMED * grey)).astype(np.uint8)
    return draw_outline(shown, region)


def _resize(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Values (h, w) as (H, W) float32, bilinear: each is a mean of values near it, with weights >= 0."""
    height, width = size_hw
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
