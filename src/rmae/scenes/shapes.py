"""Shapes, and which pixels belong to them."""

from typing import Literal, NamedTuple

import numpy as np

ShapeName = Literal["disc", "square", "triangle"]
SHAPES: tuple[ShapeName, ...] = ("disc", "square", "triangle")
"""All shapes; their places here are the classes."""

_NUM_CORNERS: dict[ShapeName, int] = {"square": 4, "triangle": 3}
_UPRIGHT: dict[ShapeName, float] = {"disc": 0.0, "square": 0.0, "triangle": np.pi / 2}
"""Direction in which a side of an upright shape looks, in radians: a triangle stands on one."""
_TILT = np.pi / 12


class Shape(NamedTuple):
    """A disc, a square or an equilateral triangle somewhere in the plane."""

    name: ShapeName
    """What it is."""
    centre_xy: tuple[float, float]
    """Its centre in pixels; the picture's first pixel has its centre at (0.5, 0.5)."""
    diameter: float
    """Pixels across the disc of its area, so that no class is larger than another."""
    angle: float
    """Direction in which one of its sides looks, in radians."""

    @property
    def area(self) -> float:
        """Square pixels, with what lies outside the picture."""
        return np.pi * self.diameter**2 / 4


def draw_shape(
    name: ShapeName,
    size_hw: tuple[int, int],
    generator: np.random.Generator,
    *,
    diameters: tuple[float, float],
    margin: float = 0.0,
) -> Shape:
    """Draw size, place and tilt of a shape: things stand more or less upright, as most do in photographs.

    Args:
        name: What it is.
        size_hw: Height and width of the picture in pixels.
        generator: Where the randomness comes from.
        diameters: Least and largest diameter, as shares of the picture's shorter side.
        margin: Share of the picture at each of its edges where no centre lies, in [0, 0.5].

    Returns:
        The shape.
    """
    height, width = size_hw
    diameter = float(generator.uniform(*diameters)) * min(size_hw)
    x, y = (float(generator.uniform(margin, 1 - margin)) * side for side in (width, height))
    return Shape(name, (x, y), diameter, _UPRIGHT[name] + float(generator.uniform(-_TILT, _TILT)))


def signed_distance(shape: Shape, size_hw: tuple[int, int]) -> np.ndarray:
    """Measure how far the centres of pixels are from the edge of a shape.

    Args:
        shape: The shape.
        size_hw: Height and width of the picture in pixels.

    Returns:
        Shape (H, W) float32, in pixels, negative inside; outside a corner, the distance to the nearest side prolonged.
        **A pixel belongs to the shape where this is 0 or less**, that is, where its centre does.
    """
    y, x = (np.arange(side, dtype=np.float32) + 0.5 for side in size_hw)
    x, y = x[None] - shape.centre_xy[0], y[:, None] - shape.centre_xy[1]
    if shape.name == "disc":
        return np.sqrt(x * x + y * y) - np.float32(shape.diameter / 2)
    num = _NUM_CORNERS[shape.name]
    radius_within = np.sqrt(shape.area / (num * np.tan(np.pi / num)))  # of the largest disc inside
    angles = shape.angle + 2 * np.pi / num * np.arange(num)
    sides = [np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y for angle in angles]
    return np.maximum.reduce(sides) - np.float32(radius_within)
