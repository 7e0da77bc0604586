"""What each attention head of a block looks at, as one picture."""

import numpy as np
from PIL import Image

from rmae.visual.figure_words import rough_percent
from rmae.visual.heat_maps import draw_heat_map
from rmae.visual.lettering import letter

_TILE_SIDE = 240  # pixels of the longer side of the picture in a tile
_LETTERS = 14  # pixels
_GAP = 8  # pixels between tiles and around them
_LEAST_WIDTH = 160  # pixels of a tile, so that its label stands in one line
_GROUND, _INK = (23, 27, 36), (232, 235, 241)  # of a dark page, which does on a light one as well
_PREFERRED_COLUMNS = (6, 8, 5, 7, 4)


def draw_heads(values: np.ndarray, image: np.ndarray, *, query: tuple[int, int]) -> np.ndarray:
    """Draw the heat map of each head, with its number, from 0 on, and the share that its brightest patch gets.

    Args:
        values: Share of its attention that each head gives to each patch, shape (num_heads, h, w) in [0, 1]. Each map
            has a scale of its own, from 0 to its largest value.
        image: The picture, shape (H, W, 3) uint8.
        query: Row and column of the patch that asks.

    Returns:
        Shape (height, width, 3) uint8: tiles in rows, the first head at the upper left.
    """
    photo = _shrink(image)
    width = max(photo.shape[1], _LEAST_WIDTH)
    tiles = []
    for number, of_head in enumerate(values):
        words = f"head {number}: up to {rough_percent(float(of_head.max()))}"
        label = letter(words, width=width, size=_LETTERS, colour=_INK, ground=_GROUND)
        tile = np.empty((photo.shape[0] + len(label), width, 3), np.uint8)
        tile[:] = _GROUND
        tile[: photo.shape[0], : photo.shape[1]] = draw_heat_map(of_head, photo, query=query)
        tile[photo.shape[0] :] = label
        tiles.append(tile)
    height = len(tiles[0])
    columns = num_columns(len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.empty((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), np.uint8)
    sheet[:] = _GROUND
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        top, left = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def num_columns(num_tiles: int) -> int:
    """In how many columns tiles fill whole rows, at most 8: 4 for 4, 6 for 12, 8 for 16; 6 where that cannot be."""
    if num_tiles <= _PREFERRED_COLUMNS[0]:
        return num_tiles
    return next((columns for columns in _PREFERRED_COLUMNS if num_tiles % columns == 0), _PREFERRED_COLUMNS[0])


def _shrink(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(1.0, _TILE_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
