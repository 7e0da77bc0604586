import numpy as np
import pytest
from PIL import Image

from rmae.scenes.turned_cut_outs import MOST_TURNED, Pyramid, draw_turned, make_pyramid, turn


def square(side: int = 20, colour: tuple[int, int, int] = (250, 200, 30)) -> Image.Image:
    return Image.new("RGBa", (side, side), (*colour, 255))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    return Image.fromarray(pixels, "RGBa")


def inside(image: Image.Image) -> np.ndarray:
    """What is not wholly transparent."""
    box = image.getchannel(3).getbbox()
    return np.asarray(image.crop(box))


def test_a_pyramid_has_the_sizes_that_are_shown():
    pyramid = make_pyramid(noise(90, 45), (20.0, 63.2))
    assert pyramid.sides == (64, 45, 32, 23)
    assert [level.size for level in pyramid.levels] == [(68, 36), (49, 26), (36, 20), (27, 16)]
    small = make_pyramid(noise(30, 15), (40.0, 80.0))
    assert small.sides == (30,)
    np.testing.assert_array_equal(inside(small.levels[0]), np.asarray(noise(30, 15)))


def test_at_its_own_size_nothing_changes():
    cut_out = noise(30, 20)
    pyramid = make_pyramid(cut_out, (10.0, 30.0))
    turned = turn(pyramid, side=30, degrees=0, is_mirrored=False)
    assert turned.size == (32, 22)
    np.testing.assert_array_equal(np.asarray(turned)[1:-1, 1:-1], np.asarray(cut_out))
    assert inside(turned).shape == (20, 30, 4)
    mirrored = turn(pyramid, side=30, degrees=0, is_mirrored=True)
    np.testing.assert_array_equal(inside(mirrored), np.asarray(cut_out)[:, ::-1])


def test_turning_is_clockwise_and_comes_after_mirroring():
    cut_out = noise(30, 20)
    pyramid = make_pyramid(cut_out, (10.0, 30.0))
    turned = turn(pyramid, side=30, degrees=90, is_mirrored=False)
    np.testing.assert_allclose(inside(turned), np.rot90(np.asarray(cut_out), -1), atol=1)
    both = turn(pyramid, side=30, degrees=90, is_mirrored=True)
    np.testing.assert_allclose(inside(both), np.rot90(np.asarray(cut_out)[:, ::-1], -1), atol=1)


@pytest.mark.parametrize("degrees", [0, 17, -30])
@pytest.mark.parametrize("side", [14.3, 20, 37.5])
def test_areas_scale_with_the_square_of_the_size(side: float, degrees: float):
    pyramid = make_pyramid(square(40), (10.0, 40.0))
    turned = turn(pyramid, side=side, degrees=degrees, is_mirrored=False)
    mask = np.asarray(turned)[..., 3] >= 128
    assert np.sqrt(mask.sum()) == pytest.approx(side, abs=0.8)
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert not edges.any()  # nothing is cut off


@pytest.mark.parametrize("side", [11.0, 16.5, 33.0])
def test_no_fringe_has_another_colour(side: float):
    # What is transparent has no colour of its own, so that none can creep in.
    turned = turn(make_pyramid(square(22), (10.0, 22.0)), side=side, degrees=23, is_mirrored=False).convert("RGBA")
    pixels = np.asarray(turned)
    seen = pixels[pixels[..., 3] >= 64]
    assert (np.abs(seen[:, :3].astype(int) - [250, 200, 30]) <= 3).all()
    assert ((seen[:, 3] > 64) & (seen[:, 3] < 200)).any()  # edges are soft


def test_drawn_sizes_and_angles_lie_within_their_limits():
    pyramid = make_pyramid(square(60), (20.0, 60.0))
    areas = [draw_turned(pyramid, (20.0, 60.0), np.random.default_rng(seed)).mask.sum() for seed in range(200)]
    assert 19**2 < min(areas) < 24**2
    assert 56**2 < max(areas) < 61**2
    bar = make_pyramid(Image.new("RGBa", (60, 6), (255, 255, 255, 255)), (60.0, 60.0))
    angles = []
    for seed in range(200):
        rows, columns = np.nonzero(draw_turned(bar, (60.0, 60.0), np.random.default_rng(seed)).mask)
        angles.append(np.degrees(np.arctan(np.polyfit(columns, rows, 1)[0])))
    assert 22 < np.max(angles) < MOST_TURNED + 1
    assert -MOST_TURNED - 1 < np.min(angles) < -22
    assert np.mean(np.abs(angles)) == pytest.approx(MOST_TURNED / 3, abs=1.5)


def test_small_cut_outs_are_not_enlarged_much():
    turned = draw_turned(make_pyramid(square(32), (100.0, 120.0)), (100.0, 120.0), np.random.default_rng(0))
    assert turned.mask.sum() == pytest.approx(48**2, rel=0.06)


def test_things_are_mirrored_half_the_time_and_their_light_changes():
    pixels = np.zeros((40, 40, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:, :20, :3] = 120
    pyramid: Pyramid = make_pyramid(Image.fromarray(pixels, "RGBa"), (30.0, 40.0))
    lefts, lights = 0, set()
    for seed in range(200):
        turned = draw_turned(pyramid, (30.0, 40.0), np.random.default_rng(seed))
        grey = np.asarray(turned.image)[..., :3].mean(axis=2) * turned.mask
        middle = grey.shape[1] // 2
        lefts += grey[:, :middle].sum() > grey[:, middle:].sum()
        lights.add(int(grey.max()))
        np.testing.assert_array_equal(turned.mask, np.asarray(turned.image)[..., 3] >= 128)
    assert 75 < lefts < 125
    assert len(lights) > 30
