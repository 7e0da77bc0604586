"""What is drawn over a visitor's picture, at the size at which it is shown."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from rmae.app.session import RegionMaps, Session
from rmae.visual.mask_pictures import draw_masks, mask_colour
from rmae.visual.region_pictures import draw_label_map, stack_by_size


def draw_overlay(session: Session, model: int) -> np.ndarray | None:
    """Draw a model's masks so that they can be laid over the picture.

    Args:
        session: With its masks.
        model: Whose masks.

    Returns:
        Shape (h, w, 4) uint8, RGB and alpha; None where there is no mask.
    """
    size_hw = session.opened().shown_hw
    answers = [session.masks[model, marks] for marks in session.objects]
    numbers = [number for number, answer in enumerate(answers) if answer is not None]
    if not numbers:
        return None
    masks = [answer.pixels(size_hw) for answer in answers if answer is not None]
    return _as_overlay(size_hw, masks, [mask_colour(number) for number in numbers])


def draw_regions(regions: RegionMaps, label_map: int | None, photo: np.ndarray) -> np.ndarray:
    """Draw one label map, or None = all of them with small regions on top; shape (h, w, 3) uint8."""
    maps = regions.label_maps
    if len(maps) == 0:
        return photo
    return draw_label_map(photo, stack_by_size(maps) if label_map is None else maps[label_map])


def rgba_data_uri(pixels: np.ndarray) -> str:
    """Write a picture (h, w, 4) uint8 as a PNG inside a `data:` URI; quickly, since it is read at once."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _as_overlay(
    size_hw: tuple[int, int], masks: Sequence[np.ndarray], colours: Sequence[tuple[int, int, int]]
) -> np.ndarray:
    """Masks without the picture below them.

    A pixel drawn over a picture is c + t p, with p the picture's. Drawn over black it is c, over white c + 255 t.
    """
    black = np.zeros((*size_hw, 3), np.uint8)
    over_black = draw_masks(black, masks, colours=colours).astype(np.float32)
    over_white = draw_masks(255 - black, masks, colours=colours).astype(np.float32)
    alpha = 255 - (over_white - over_black).mean(axis=2, keepdims=True)  # (h, w, 1)
    colour = 255 * over_black / np.maximum(alpha, 1)
    return np.rint(np.concatenate([np.minimum(colour, 255), alpha], axis=2)).astype(np.uint8)
