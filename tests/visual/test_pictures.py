import base64
import io

import numpy as np
import pytest
from PIL import Image

from rmae.visual.pictures import (
    HIDDEN_COLOUR,
    OUTLINE_COLOUR,
    REGION_RAMP,
    css_colour,
    draw_region,
    enlarge,
    hide_patches,
    jpeg_data_uri,
    png_data_uri,
    show_stored,
    to_display,
)


def _constant_image(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None, None].repeat(2, axis=1).repeat(3, axis=2)  # (M, 2, 3)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ((0.2,), (51, 51, 51)),
        ((0.4, 1.0), (102, 102, 102)),
        ((0.0, 0.2, 1.0), (0, 51, 255)),
        ((0.0, 0.2, 1.0, 0.0), (255, 255, 255)),  # fully transparent: the white behind it
        ((0.0, 0.2, 1.0, 0.6), (102, 133, 255)),  # 255 (0.6 c + 0.4)
        ((0.0, 0.2, 1.0, 0.0, 0.5), (0, 51, 255)),
        ((-0.5, 0.2, 1.5), (0, 51, 255)),  # a reconstruction may leave [0, 1]
    ],
)
def test_to_display_of_one_to_five_channels(channels: tuple[float, ...], expected: tuple[int, int, int]) -> None:
    shown = to_display(_constant_image(*channels))
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, np.broadcast_to(np.array(expected, np.uint8), (2, 3, 3)))


def test_to_display_keeps_every_pixel_in_its_place() -> None:
    image = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5) / 255
    np.testing.assert_array_equal(to_display(image)[2, 3], [13, 33, 53])  # 20 m + 5 * 2 + 3


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ((51,), (51, 51, 51)),
        ((102, 255), (102, 102, 102)),
        ((0, 51, 255), (0, 51, 255)),
        ((0, 51, 255, 0), (255, 255, 255)),
        ((0, 51, 255, 0, 128), (0, 51, 255)),
    ],
)
def test_show_stored_shows_channels_as_to_display_does(channels: tuple[int, ...], expected: tuple[int, ...]) -> None:
    image = np.broadcast_to(np.array(channels, np.uint8), (4, 6, len(channels)))
    shown = show_stored(image, (2, 3))
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, np.broadcast_to(np.array(expected, np.uint8), (2, 3, 3)))


def test_show_stored_smooths_what_it_shrinks() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)[..., None]
    np.testing.assert_allclose(show_stored(checks, (8, 8)), 100, atol=2)


def test_show_stored_keeps_every_pixel_in_its_place() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(show_stored(image, (5, 7)), image)


@pytest.mark.parametrize("scale", [1, 16])
@pytest.mark.parametrize("num_channels", [1, 3, 4, 6])
def test_show_stored_stretches_16_bits(num_channels: int, scale: int) -> None:
    # 1000 pixels: four levels, each in every channel; what lies beyond the third channel is not looked at
    levels = np.array([100, 200, 300, 500], np.uint16).repeat(250).reshape(40, 25) * scale
    image = levels[..., None].repeat(num_channels, axis=2)
    image[..., 3:] = 65535
    shown = show_stored(image, (40, 25))
    assert [np.unique(shown[rows]).tolist() for rows in (5, 15, 25, 35)] == [[0], [64], [128], [255]]


def test_show_stored_leaves_outliers_out_of_the_stretch() -> None:
    image = np.full((100, 100, 1), 1000, np.uint16)
    image[:50] = 2000
    image[0, :40], image[99, :40] = 65535, 0
    shown = show_stored(image, (100, 100))
    assert (shown[10] == 255).all()
    assert (shown[90] == 0).all()


def test_show_stored_of_a_constant_16_bit_image() -> None:
    assert np.unique(show_stored(np.full((4, 4, 1), 40000, np.uint16), (4, 4))).size == 1


def test_hide_patches_paints_exactly_the_hidden_ones() -> None:
    image = np.full((4, 6, 3), 7, np.uint8)
    painted = hide_patches(image, np.array([False, True, False, True, False, False]), (2, 3))
    hidden = np.zeros((4, 6), bool)
    hidden[:2, 2:4] = True  # patch 1: row 0, column 1
    hidden[2:, :2] = True  # patch 3: row 1, column 0
    assert (painted[hidden] == HIDDEN_COLOUR).all()
    assert (painted[~hidden] == 7).all()
    assert (image == 7).all()


@pytest.mark.parametrize(
    ("shape", "factor"), [((64, 64), 3), ((128, 96), 2), ((96, 191), 2), ((100, 192), 1), ((224, 160), 1)]
)
def test_small_pictures_are_enlarged_by_a_whole_factor(shape: tuple[int, int], factor: int) -> None:
    enlarged = (shape[0] * factor, shape[1] * factor, 3)
    assert enlarge(np.zeros((*shape, 3), np.uint8)).shape == enlarged
    assert draw_region(np.zeros(shape, bool)).shape == enlarged
    assert draw_region(np.zeros(shape, np.float32)).shape == enlarged


def test_enlarging_keeps_the_picture_upright() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255
    enlarged = enlarge(image)
    assert (enlarged[10, 10] == 255).all()
    assert (enlarged[-10, 10] == 0).all()
    assert (enlarged[10, -10] == 0).all()


def test_a_true_region_has_two_colours_and_sharp_edges() -> None:
    region = np.zeros((200, 200), bool)
    region[20:60, 30:90] = True
    drawn = draw_region(region)
    assert (drawn[region] == REGION_RAMP[-1]).all()
    assert (drawn[~region] == REGION_RAMP[0]).all()


@pytest.mark.parametrize(("probability", "colour"), [(0.0, REGION_RAMP[0]), (1.0, REGION_RAMP[-1])])
def test_a_sure_prediction_looks_like_a_true_map_and_the_border_is_no_outline(
    probability: float, colour: tuple[int, int, int]
) -> None:
    assert (draw_region(np.full((200, 200), probability, np.float32)) == colour).all()


def test_a_prediction_is_outlined_where_its_probability_crosses_one_half() -> None:
    probability = np.zeros((200, 200), np.float32)
    probability[:, 100:] = 0.75
    drawn = draw_region(probability)
    assert (drawn[:, 100] == OUTLINE_COLOUR).all()
    assert not (drawn[:, :100] == OUTLINE_COLOUR).all(axis=-1).any()
    assert not (drawn[:, 101:] == OUTLINE_COLOUR).all(axis=-1).any()
    halfway = (np.array(REGION_RAMP[1]) + np.array(REGION_RAMP[2])) / 2
    np.testing.assert_allclose(drawn[0, 150], halfway, atol=0.5)


@pytest.mark.parametrize("num_colours", [2, 256, 257, 1800])
def test_png_holds_the_same_pixels(num_colours: int) -> None:
    codes = np.arange(40 * 45).reshape(40, 45) % num_colours
    image = np.stack([codes % 256, codes // 256 * 30, 255 - codes % 256], axis=-1).astype(np.uint8)
    head, _, data = png_data_uri(image).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), image)


def test_jpeg_holds_nearly_the_same_pixels_thin_coloured_lines_too() -> None:
    image = np.full((64, 96, 3), (40, 90, 60), np.uint8)
    image[:, 33] = (230, 159, 0)
    head, _, data = jpeg_data_uri(image).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.format == "JPEG"
        np.testing.assert_allclose(np.asarray(picture), image, atol=25)


def test_css_colour_writes_two_hexadecimal_digits_a_channel() -> None:
    assert css_colour((0, 10, 255)) == "#000aff"
