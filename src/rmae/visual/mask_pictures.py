"""Masks and clicks drawn into their picture."""

from collections.abc import Sequence

import numpy as np

from rmae.regions.placed_mask import cut_out
from rmae.visual.label_map_pictures import class_colours
from rmae.visual.outlines import grow
from rmae.visual.pictures import nearest_edge
from rmae.visual.region_colours import REGION_COLOURS

Colour = tuple[int, int, int]

POSITIVE_COLOUR = (0, 122, 88)
"""Of a click on the object."""
NEGATIVE_COLOUR = (196, 62, 0)
"""Of a click beside it: its sign differs too, for those who see no difference between the two colours."""

_TINT = 0.42  # share of a mask's colour inside its outline
_SHADE = 0.45  # brightness of the line around it, so that it shows on a ground of its own colour
_SIDE_A_LINE = 170  # pixels of the picture's longer side for each pixel of an outline's width
_SIDE_A_RADIUS = 42  # the same for the radius of a click
_SMALLEST_RADIUS = 5  # pixels; smaller signs cannot be told apart
_COLOURS_AT_ONCE = 16


def mask_colour(number: int) -> Colour:
    """Choose the colour of a mask.

    Args:
        number: Which mask, from 0 on.

    Returns:
        RGB in 0..255, always the same for a number; the first seven are `REGION_COLOURS`, and the ones after them as
        far from all before them as can be, for colour-blind eyes too.
    """
    if number < len(REGION_COLOURS):
        return REGION_COLOURS[number]
    return class_colours(-(-(number + 1) // _COLOURS_AT_ONCE) * _COLOURS_AT_ONCE)[number]


def draw_masks(
    image: np.ndarray, masks: Sequence[np.ndarray], *, colours: Sequence[Colour] | None = None
) -> np.ndarray:
    """Draw masks into a picture, each as a translucent tint with an outline, later ones on top.

    Args:
        image: Shape (H, W, 3) uint8.
        masks: Each of shape (H, W) bool; an empty one leaves no trace.
        colours: RGB in 0..255, one a mask; None takes those of `mask_colour`, from 0 on.

    Returns:
        A new array, shape (H, W, 3) uint8. Outlines lie inside their masks, with a darkened line around them; both are
        a pixel wide in pictures below 255 pixels, and wider in larger ones.

    Raises:
        ValueError: A mask has another size than the picture, or there is not one colour for each.
    """
    if colours is None:
        colours = [mask_colour(number) for number in range(len(masks))]
    if len(colours) != len(masks):
        raise ValueError(f"there are {len(colours)} colours for {len(masks)} masks; give one for each")
    drawn = image.copy()
    width = max(1, round(max(image.shape[:2]) / _SIDE_A_LINE))
    for number, (mask, colour) in enumerate(zip(masks, colours, strict=True)):
        if mask.shape != image.shape[:2]:
            raise ValueError(
                f"mask {number} has shape {mask.shape}, but the picture has {image.shape[0]} x {image.shape[1]} pixels "
                "(height x width); give masks of the picture's size"
            )
        _draw_mask(drawn, mask, colour, width)
    return drawn


def draw_clicks(image: np.ndarray, points_xy: Sequence[tuple[float, float]], positive: Sequence[bool]) -> np.ndarray:
    """Draw clicks into a picture: discs with a plus on the object, with a minus beside it.

    Args:
        image: Shape (H, W, 3) uint8.
        points_xy: In pixels, x to the right and y down; pixel (row i, column j) covers [j, j + 1) x [i, i + 1). What
            lies outside the picture is cut off.
        positive: One a point: whether it is on the object.

    Returns:
        A new array, shape (H, W, 3) uint8. Signs have a white rim in a black one, so that they show on any ground;
        their radius is 5 pixels in pictures up to 210 pixels and grows with larger ones.

    Raises:
        ValueError: There is not one sign for each point.
    """
    if len(points_xy) != len(positive):
        raise ValueError(f"there are {len(positive)} signs for {len(points_xy)} points; give one for each")
    drawn = image.copy()
    radius = max(float(_SMALLEST_RADIUS), max(image.shape[:2]) / _SIDE_A_RADIUS)
    for point, is_positive in zip(points_xy, positive, strict=True):
        _draw_click(drawn, point, radius, is_positive=is_positive)
    return drawn


def _draw_mask(drawn: np.ndarray, mask: np.ndarray, colour: Colour, width: int) -> None:
    placed = cut_out(mask)
    if not placed.pixels.any():
        return
    (height, picture_width), (rows, columns) = mask.shape, placed.box
    box = (
        slice(max(0, rows.start - width), min(height, rows.stop + width)),
        slice(max(0, columns.start - width), min(picture_width, columns.stop + width)),
    )
    inner = outer = padded = np.pad(mask[box], width)  # so that an outline is closed at the picture's border
    for _ in range(width):
        inner, outer = ~grow(~inner), grow(outer)
    window, unpadded = drawn[box], (slice(width, -width), slice(width, -width))
    inside, outline, around = (part[unpadded] for part in (inner, padded & ~inner, outer & ~padded))
    window[around] = np.rint(_SHADE * window[around]).astype(np.uint8)
    window[inside] = np.rint((1 - _TINT) * window[inside] + _TINT * np.array(colour)).astype(np.uint8)
    window[outline] = colour


def _draw_click(drawn: np.ndarray, point: tuple[float, float], radius: float, *, is_positive: bool) -> None:
    rim = radius / 5
    reach = radius + 2 * rim + 1
    top, bottom = (nearest_edge(point[1] + way * reach, drawn.shape[0]) for way in (-1, 1))
    left, right = (nearest_edge(point[0] + way * reach, drawn.shape[1]) for way in (-1, 1))
    down, across = np.mgrid[top:bottom, left:right] + 0.5
    down, across = down - point[1], across - point[0]  # from the point, in pixels
    distance = np.hypot(down, across)
    window = drawn[top:bottom, left:right].astype(np.float64)
    _paint(window, distance - radius - 2 * rim, (0, 0, 0))
    _paint(window, distance - radius - rim, (255, 255, 255))
    _paint(window, distance - radius, POSITIVE_COLOUR if is_positive else NEGATIVE_COLOUR)
    length, thickness = 0.62 * radius, 0.18 * radius
    bar = np.maximum(abs(across) - length, abs(down) - thickness)
    if is_positive:
        bar = np.minimum(bar, np.maximum(abs(down) - length, abs(across) - thickness))
    _paint(window, bar, (255, 255, 255))
    drawn[top:bottom, left:right] = np.rint(window).astype(np.uint8)


def _paint(window: np.ndarray, distance: np.ndarray, colour: Colour) -> None:
    """Paint where a distance (h, w) in pixels is below 0, with a soft edge."""
    share = np.clip(0.5 - distance, 0, 1)[..., None]
    window += share * (np.array(colour) - window)
