"""Scenes: shapes over a ground, with the truth about every pixel."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmae.scenes.colours import draw_palette_apart, draw_palettes
from rmae.scenes.placement import place_shapes
from rmae.scenes.shapes import SHAPES, Shape, ShapeName, draw_shape, signed_distance
from rmae.scenes.textures import colour_texture, draw_texture

GROUND = -1
"""Label of pixels that no object covers."""
MOST_OBJECTS = 5
"""A scene has 1 to as many objects, each number equally likely, unless it is empty."""
EMPTY_SHARE = 1 / 25
"""Share of scenes without any object: what reads or evaluates them has to cope."""

_GROUND_SPREAD = (0.2, 0.6)
_OBJECT_SPREAD = (0.1, 0.35)
_SINGLE_DIAMETERS = (0.35, 0.7)
_SINGLE_MARGIN = 0.3
_NOISE = (0.005, 0.02)
_HUES: dict[ShapeName, float] = {"disc": 0.0, "square": 4.0, "triangle": 2.0}  # red, blue, green, as colours.py counts


class Scene(NamedTuple):
    """A picture with N objects, and what is where in it."""

    image: np.ndarray
    """Shape (H, W, 3) uint8, RGB."""
    label_map: np.ndarray
    """The object that a pixel shows, 0 to N - 1, or `GROUND`; shape (H, W) int32. Every object is visible."""
    classes: np.ndarray
    """Place of each object's name in `SHAPES`; shape (N,) int64."""


class Layer(NamedTuple):
    """One object by itself, before others are laid over it."""

    mask: np.ndarray
    """Which pixels are the object's; shape (H, W) bool."""
    coverage: np.ndarray
    """Share of the object's colour in each pixel, which softens its edge; shape (H, W) float32 in [0, 1]."""
    colours: np.ndarray
    """RGB in [0, 1], shape (H, W, 3) float32."""


def draw_scene(size_hw: tuple[int, int], generator: np.random.Generator, *, by_shape_alone: bool = False) -> Scene:
    """Draw a scene of up to `MOST_OBJECTS` shapes.

    Args:
        size_hw: Height and width in pixels.
        generator: Where the randomness comes from.
        by_shape_alone: Whether the shape of an object alone tells its class, and colours do not depend on it.

    Returns:
        The scene; later objects lie over earlier ones.
    """
    is_empty = generator.random() < EMPTY_SHARE
    num_objects = 0 if is_empty else int(generator.integers(1, MOST_OBJECTS + 1))
    names = [SHAPES[i] for i in generator.integers(len(SHAPES), size=num_objects)]
    return _paint(place_shapes(names, size_hw, generator), size_hw, generator, by_shape_alone)


def draw_single(
    name: ShapeName, size_hw: tuple[int, int], generator: np.random.Generator, *, by_shape_alone: bool = False
) -> Scene:
    """Draw a scene with one large shape near its middle; arguments as of `draw_scene`."""
    shape = draw_shape(name, size_hw, generator, diameters=_SINGLE_DIAMETERS, margin=_SINGLE_MARGIN)
    return _paint([shape], size_hw, generator, by_shape_alone)


def compose(ground: np.ndarray, layers: Sequence[Layer]) -> tuple[np.ndarray, np.ndarray]:
    """Lay objects over a ground.

    Args:
        ground: Shape (H, W, 3) float32, RGB in [0, 1].
        layers: The objects, the lowest first.

    Returns:
        The picture, of the ground's shape and type, and the label map, shape (H, W) int32: of the objects whose mask a
        pixel is in the highest, or `GROUND`.
    """
    picture = ground.copy()
    label_map = np.full(ground.shape[:2], GROUND, dtype=np.int32)
    for label, layer in enumerate(layers):
        picture += layer.coverage[..., None] * (layer.colours - picture)
        label_map[layer.mask] = label
    return picture, label_map


def _paint(
    shapes: Sequence[Shape], size_hw: tuple[int, int], generator: np.random.Generator, by_shape_alone: bool
) -> Scene:
    palettes = draw_palettes(1, _GROUND_SPREAD, generator)  # the ground's, then those of the objects
    ground = colour_texture(draw_texture(size_hw, generator), palettes[0])
    layers: list[Layer] = []
    for shape in shapes:
        hue = None if by_shape_alone else _HUES[shape.name]
        palette = draw_palette_apart(palettes, _OBJECT_SPREAD, generator, hue=hue)
        palettes = np.concatenate([palettes, palette[None]])
        colours = colour_texture(draw_texture(size_hw, generator), palette)
        distance = signed_distance(shape, size_hw)
        layers.append(Layer(distance <= 0, np.clip(0.5 - distance, 0, 1), colours))
    picture, label_map = compose(ground, layers)
    noise = generator.uniform(*_NOISE) * generator.standard_normal(picture.shape, dtype=np.float32)
    image = np.rint(255 * np.clip(picture + noise, 0, 1)).astype(np.uint8)
    classes = np.array([SHAPES.index(shape.name) for shape in shapes], dtype=np.int64)
    return Scene(image, label_map, classes)
