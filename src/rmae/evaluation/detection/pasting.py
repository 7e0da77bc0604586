"""From boxes and masks in a frame to those in the picture that was put there."""

import numpy as np

from rmae.evaluation.detection.jitter import Placement
from rmae.regions.placed_mask import PlacedMask


def boxes_in_picture(boxes_xyxy: np.ndarray, placement: Placement) -> np.ndarray:
    """Find where boxes of a frame lie in the picture.

    Args:
        boxes_xyxy: Shape (n, 4) float, in pixels of the frame.
        placement: How the whole picture lies in the frame: at its upper left, not mirrored, nothing cut off.

    Returns:
        Shape (n, 4) float64, in pixels of the picture.
    """
    assert not placement.mirrored
    assert placement.shown_hw == placement.scaled_hw
    (height, width), (rows, columns) = placement.picture_hw, placement.scaled_hw
    return boxes_xyxy.astype(np.float64) * np.tile([width / columns, height / rows], 2)


def paste_mask(probability: np.ndarray, box_xyxy: np.ndarray, picture_hw: tuple[int, int]) -> PlacedMask:
    """Draw the mask of a box in a picture: on where it is at least 0.5, bilinear, at the centre of a pixel.

    Args:
        probability: Of each cell of the box, shape (s, s) in [0, 1].
        box_xyxy: Shape (4,) float, in pixels of the picture.
        picture_hw: Height and width of the picture.

    Returns:
        Of those pixels whose centres lie in box and picture.
    """
    rows, down = _weights(box_xyxy[1], box_xyxy[3], picture_hw[0], probability.shape[0])
    columns, across = _weights(box_xyxy[0], box_xyxy[2], picture_hw[1], probability.shape[1])
    return PlacedMask(rows, columns, down @ probability @ across.T >= 0.5)


def _weights(low: float, high: float, size: int, cells: int) -> tuple[int, np.ndarray]:
    """First pixel whose centre lies between two edges, and how much of each cell each of them takes; (n, cells)."""
    first, last = max(0, int(np.ceil(low - 0.5))), min(size, int(np.ceil(high - 0.5)))
    centres = np.arange(first, max(first, last)) + 0.5
    # Beyond the centres of the outermost cells these go on, for nothing is known of what is outside of the box.
    places = np.clip((centres - low) / max(high - low, 1e-9) * cells - 0.5, 0, cells - 1)
    below = np.minimum(places.astype(np.int64), cells - 1)
    above = np.minimum(below + 1, cells - 1)
    weights = np.zeros((len(centres), cells))
    pixels = np.arange(len(centres))
    weights[pixels, below] += 1 - (places - below)
    weights[pixels, above] += places - below
    return first, weights
