import numpy as np
import pytest

from rmae.visual.head_sheet import draw_heads, num_columns
from rmae.visual.heat_maps import draw_heat_map


def test_heads_stand_in_order_each_with_its_own_scale() -> None:
    image = np.full((120, 240, 3), 90, np.uint8)  # of the size of a tile
    values = np.zeros((10, 2, 5))
    for head in range(10):
        values[head].flat[head] = 0.1 * (head + 1)
    sheet = draw_heads(values, image, query=(0, 0))
    tile_height = (sheet.shape[0] - 8) // 2 - 8
    assert sheet.shape[1] == 5 * 248 + 8
    for head in range(10):
        row, column = divmod(head, 5)
        top, left = 8 + row * (tile_height + 8), 8 + column * 248
        expected = draw_heat_map(values[head], image, query=(0, 0))
        np.testing.assert_array_equal(sheet[top : top + 120, left : left + 240], expected)


@pytest.mark.parametrize("size_hw", [(3, 900), (900, 3), (1, 1), (480, 640)])
@pytest.mark.parametrize("num_heads", [1, 3, 12])
def test_pictures_of_any_shape(size_hw: tuple[int, int], num_heads: int) -> None:
    sheet = draw_heads(np.ones((num_heads, 3, 3)) / 9, np.zeros((*size_hw, 3), np.uint8), query=(2, 1))
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] >= 160 * num_columns(num_heads)


def test_labels_stand_in_one_line() -> None:
    narrow, wide = (
        draw_heads(np.full((16, 1, 1), 0.00345), np.zeros((240, width, 3), np.uint8), query=(0, 0))
        for width in (9, 240)
    )
    assert narrow.shape[0] == wide.shape[0]  # though tiles are narrower


def test_labels_are_written() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    few, much = (draw_heads(np.full((1, 1, 2), value), image, query=(0, 0)) for value in (0.1, 0.2))
    below = slice(108, -8)
    assert (few[below] != much[below]).any()  # up to 10 %, up to 20 %
    np.testing.assert_array_equal(few[:108], much[:108])


@pytest.mark.parametrize(
    ("num_heads", "columns"), [(1, 1), (3, 3), (6, 6), (7, 7), (8, 8), (12, 6), (16, 8), (10, 5), (13, 6)]
)
def test_tiles_fill_whole_rows_where_that_can_be(num_heads: int, columns: int) -> None:
    assert num_columns(num_heads) == columns
