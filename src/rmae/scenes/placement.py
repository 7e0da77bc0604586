"""Where the shapes of a scene lie: over each other at times, but none hidden so far that it could not be told."""

from collections.abc import Sequence

import numpy as np

from rmae.scenes.shapes import Shape, ShapeName, draw_shape, signed_distance

LEAST_VISIBLE = 0.6
"""Share of its area that a shape shows at least; the rest is covered by later ones or outside the picture."""
DIAMETERS = (0.2, 0.6)
"""Least and largest diameter of a shape as shares of the picture's shorter side."""
MARGIN = 0.1
"""Share of the picture at each of its edges where no centre lies; larger shapes reach over the edge all the same."""

_NUM_TRIES = 20


def place_shapes(names: Sequence[ShapeName], size_hw: tuple[int, int], generator: np.random.Generator) -> list[Shape]:
    """Place shapes one over the other.

    Args:
        names: What to place, the lowest first.
        size_hw: Height and width of the picture in pixels.
        generator: Where the randomness comes from.

    Returns:
        The shapes in their order. One for which some tries find no place where all keep `LEAST_VISIBLE` is left out.
    """
    placed: list[Shape] = []
    label_map = np.full(size_hw, -1, dtype=np.int32)
    for name in names:
        for _ in range(_NUM_TRIES):
            shape = draw_shape(name, size_hw, generator, diameters=DIAMETERS, margin=MARGIN)
            with_shape = np.where(signed_distance(shape, size_hw) <= 0, np.int32(len(placed)), label_map)
            visible = np.bincount(with_shape.ravel() + 1, minlength=len(placed) + 2)[1:]
            areas = np.array([other.area for other in (*placed, shape)])
            if (visible >= LEAST_VISIBLE * areas).all():
                placed.append(shape)
                label_map = with_shape
                break
    return placed
