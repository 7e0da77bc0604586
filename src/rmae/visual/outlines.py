"""The outline of a mask, drawn so that it shows on any ground."""

import numpy as np

OUTLINE_COLOUR = (86, 200, 255)
"""Light blue, which the scale of heat maps does not have."""
_AROUND = (0, 0, 0)
_SIDE_A_LINE = 128  # pixels of the picture's longer side for each pixel of the line's width


def draw_outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Draw a line along the inner border of a mask, with a thin black one around it.

    Args:
        image: Shape (H, W, 3) uint8.
        mask: Shape (H, W) bool; an empty one leaves no trace.

    Returns:
        A new array, shape (H, W, 3) uint8. Where the mask reaches the picture's border, so does the line.

    Raises:
        ValueError: The mask has another size than the picture.
    """
    if mask.shape != image.shape[:2]:
        raise ValueError(
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels (height x width), but the picture "
            f"{image.shape[0]} x {image.shape[1]}; give a mask of the picture's size"
        )
    width = max(1, round(max(mask.shape) / _SIDE_A_LINE))
    inner = mask
    for _ in range(width):
        inner = ~grow(np.pad(~inner, 1, constant_values=True))[1:-1, 1:-1]
    drawn = image.copy()
    drawn[grow(mask) & ~mask] = _AROUND
    drawn[mask & ~inner] = OUTLINE_COLOUR
    return drawn


def grow(mask: np.ndarray) -> np.ndarray:
    """Add to a mask (H, W) bool the pixels above, below, to the left and to the right of its own; a new array."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
