"""Training crops: one rectangle for a picture and its labels, brought to one scale, and padded."""

from typing import NamedTuple

import numpy as np

from rmae.data.crops import Crop, crop_image, sample_positions
from rmae.evaluation.segmentation.labels import IGNORED

_MAX_DRAWS = 10  # of a place at which no class fills the crop


class ScaledCrop(NamedTuple):
    """A rectangle of a picture, and the size it is resized to."""

    window: Crop
    size_hw: tuple[int, int]
    """Height and width after resizing; where the picture is too small they are less than a training crop has."""

    def cut_image(self, image: np.ndarray) -> np.ndarray:
        """Cut a picture (H, W, 3) uint8 and resize it, bicubic with antialias; shape (3, *size_hw) uint8."""
        return crop_image(image, self.window, self.size_hw)

    def cut_labels(self, labels: np.ndarray) -> np.ndarray:
        """Cut labels (H, W) and resize them, nearest at pixel centres; shape size_hw."""
        rows, columns = sample_positions(self.window, self.size_hw)
        return labels[rows[:, None], columns[::-1] if self.window.flip else columns]


def draw_crop(
    labels: np.ndarray,
    crop_hw: tuple[int, int],
    *,
    scale_range: tuple[float, float],
    max_class_share: float,
    flip: float,
    generator: np.random.Generator,
) -> ScaledCrop:
    """Draw a scale, and a place for a crop at which no class fills it.

    Args:
        labels: Shape (H, W): classes from 0, or `IGNORED`.
        crop_hw: Height and width of the crop in pixels.
        scale_range: Smallest and largest scale, drawn uniformly; at 1 the picture just covers the crop.
        max_class_share: Largest share of the labelled pixels that one class may have. After ten places at which one has
            more, or where there are no labelled pixels, the last place is taken.
        flip: Probability of mirroring, in [0, 1].
        generator: Where the randomness comes from.

    Returns:
        A crop inside the picture.
    """
    height, width = labels.shape
    scale = generator.uniform(*scale_range) * max(crop_hw[0] / height, crop_hw[1] / width)
    mirrored = bool(generator.random() < flip)
    covered_height, new_height = _along(crop_hw[0], height, scale)
    covered_width, new_width = _along(crop_hw[1], width, scale)
    draws = 0
    while True:
        top = int(generator.integers(height - covered_height + 1))
        left = int(generator.integers(width - covered_width + 1))
        crop = ScaledCrop(Crop(top, left, covered_height, covered_width, mirrored), (new_height, new_width))
        draws += 1
        if draws == _MAX_DRAWS or largest_share(crop.cut_labels(labels)) <= max_class_share:
            return crop


def largest_share(labels: np.ndarray) -> float:
    """Share of the labelled pixels that the commonest class has, in (0, 1]; 1 where no pixel is labelled."""
    labelled = labels[labels != IGNORED]
    return float(np.bincount(labelled).max() / labelled.size) if labelled.size else 1.0


def pad(pixels: np.ndarray, size_hw: tuple[int, int], value: np.ndarray | int) -> np.ndarray:
    """Extend pixels to the right and below.

    Args:
        pixels: Shape (..., h, w).
        size_hw: Height and width of the result, at least h and w.
        value: What stands in the new places; can be broadcast to (..., H, W).

    Returns:
        Shape (..., H, W); the same array where there is nothing to add.
    """
    height, width = pixels.shape[-2:]
    if (height, width) == size_hw:
        return pixels
    padded = np.empty((*pixels.shape[:-2], *size_hw), pixels.dtype)
    padded[...] = value
    padded[..., :height, :width] = pixels
    return padded


def padding_colour(pixel_mean: tuple[float, ...]) -> np.ndarray:
    """The mean colour as pixels of uint8, shape (3, 1, 1): about 0 when it is normalised."""
    return np.rint(255 * np.array(pixel_mean)).astype(np.uint8)[:, None, None]


def _along(side: int, available: int, scale: float) -> tuple[int, int]:
    """Pixels of a picture that a crop's side covers, and to how many they are resized."""
    covered = max(1, round(side / scale))
    if covered <= available:
        return covered, side
    return available, min(side, max(1, round(available * scale)))
