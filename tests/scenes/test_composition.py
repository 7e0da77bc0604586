import numpy as np
import pytest
from PIL import Image

from rmae.scenes import turned_cut_outs
from rmae.scenes.composition import (
    FEWEST_PIXELS,
    LEAST_VISIBLE,
    SIDES,
    SINGLE_SIDES,
    Canvas,
    Materials,
    compose_scene,
    compose_single,
    draw_ground,
)
from rmae.scenes.cut_out_files import CutOutFiles
from rmae.scenes.scene import EMPTY_SHARE, GROUND, MOST_OBJECTS
from rmae.scenes.turned_cut_outs import TurnedCutOut, make_pyramid

SIDE = 20.0
COLOURS = [(250, 10, 10), (10, 250, 10)]


def turned(width: int, height: int, grey: int = 200, alpha: int = 255) -> TurnedCutOut:
    return TurnedCutOut(
        Image.new("RGBA", (width, height), (grey, grey, grey, alpha)), np.full((height, width), alpha >= 128)
    )


def ramp(size_hw: tuple[int, int]) -> Image.Image:
    """A picture whose red tells the column and whose green the row."""
    height, width = size_hw
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> Materials:
    """Two classes of squares of `SIDE` pixels that are never turned."""
    monkeypatch.setattr(turned_cut_outs, "MOST_TURNED", 1e-9)
    things = tuple(
        (make_pyramid(Image.new("RGBa", (int(SIDE),) * 2, (*colour, 255)), (SIDE, SIDE)),) for colour in COLOURS
    )
    return Materials(things, (Image.new("RGB", (200, 150), (0, 0, 250)),), (64, 80), (SIDE, SIDE))


def test_a_thing_covers_just_the_pixels_that_it_lies_on():
    canvas = Canvas(Image.new("RGB", (10, 8)))
    canvas.lay(turned(4, 3), (5, 2), 7)
    canvas.lay(turned(3, 3), (-1, -2), 0)
    scene = canvas.finish(np.random.default_rng(0))
    expected = np.full((8, 10), GROUND)
    expected[2:5, 5:9] = 0
    expected[0:1, 0:2] = 1
    np.testing.assert_array_equal(scene.label_map, expected)
    assert scene.classes.tolist() == [7, 0]
    np.testing.assert_array_equal(scene.image.max(axis=2) > 100, expected >= 0)


def test_later_things_lie_over_earlier_ones_and_clear_ones_show_what_is_below():
    canvas = Canvas(Image.new("RGB", (12, 5)))
    canvas.lay(turned(6, 3), (0, 1), 0)
    canvas.lay(turned(6, 3, grey=90), (3, 1), 1)
    canvas.lay(turned(12, 5, grey=0, alpha=127), (0, 0), 2)
    scene = canvas.finish(np.random.default_rng(0))
    assert scene.label_map[2].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, -1, -1, -1]
    row = scene.image[2, :, 0].astype(int)
    assert row[0] == row[2] > row[3] == row[8] > row[9]


def test_enough_of_everything_must_be_seen():
    canvas = Canvas(Image.new("RGB", (100, 100)))
    thing = turned(10, 10)
    assert canvas.has_room(thing, (-6, 0))
    assert not canvas.has_room(thing, (-7, 0))
    assert not canvas.has_room(thing, (200, 0))
    canvas.lay(thing, (20, 20), 0)
    assert canvas.has_room(thing, (26, 20))
    assert canvas.has_room(thing, (24, 20))
    assert not canvas.has_room(thing, (23, 20))  # 30 of the 100 pixels below would be left
    canvas.lay(thing, (26, 20), 0)
    assert canvas.has_room(turned(2, 10), (21, 20))  # 60 of the first one's pixels could be seen so far
    assert not canvas.has_room(turned(3, 10), (21, 20))
    assert canvas.has_room(turned(4, 3), (50, 50)) == (FEWEST_PIXELS <= 12)
    assert not canvas.has_room(turned(11, 1), (50, 50))


def test_squares_have_the_masks_one_computes_by_hand(squares: Materials):
    for seed in range(100):
        scene = compose_scene(squares, np.random.default_rng(seed))
        for label, class_ in enumerate(scene.classes):
            rows, columns = np.nonzero(scene.label_map == label)
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert LEAST_VISIBLE * SIDE**2 <= len(rows) <= SIDE**2
            assert max(height, width) <= SIDE
            touches = (rows.min() == 0, columns.min() == 0, rows.max() == 63, columns.max() == 79)
            if len(scene.classes) == 1:
                assert len(rows) == height * width
                assert len(rows) == SIDE**2 or any(touches)
            # Each pixel shows the colour of what the truth says is there.
            assert (scene.image[rows, columns].argmax(axis=1) == class_).all()
        assert (scene.image[scene.label_map == GROUND].argmax(axis=1) == 2).all()


def test_numbers_and_classes_are_even_and_some_scenes_are_empty(squares: Materials):
    scenes = [compose_scene(squares, np.random.default_rng([1, seed])) for seed in range(600)]
    numbers = np.bincount([len(scene.classes) for scene in scenes]) / len(scenes)
    assert len(numbers) == MOST_OBJECTS + 1
    assert numbers[0] == pytest.approx(EMPTY_SHARE, abs=0.025)
    assert numbers[1:].min() > 0.15
    classes = np.bincount(np.concatenate([scene.classes for scene in scenes]))
    assert classes.min() > 0.9 * classes.max()


def test_real_scenes_have_the_form_they_say(files: CutOutFiles):
    materials = Materials.prepare(files, "train", size_hw=(96, 128), sides=SIDES)
    assert materials.sides == pytest.approx((96 * SIDES[0], 96 * SIDES[1]))
    for seed in range(40):
        scene = compose_scene(materials, np.random.default_rng(seed))
        assert (scene.image.shape, scene.image.dtype) == ((96, 128, 3), np.uint8)
        assert (scene.label_map.shape, scene.label_map.dtype) == ((96, 128), np.int32)
        assert set(np.unique(scene.label_map)) - {GROUND} == set(range(len(scene.classes)))
        counts = np.bincount(scene.label_map.ravel() + 1, minlength=len(scene.classes) + 1)[1:]
        assert (counts >= FEWEST_PIXELS).all()


def test_a_single_thing_is_large_and_near_the_middle(files: CutOutFiles):
    materials = Materials.prepare(files, "val", size_hw=(64, 64), sides=SINGLE_SIDES)
    for seed in range(40):
        scene = compose_single(seed % 3, materials, np.random.default_rng(seed))
        assert scene.classes.tolist() == [seed % 3]
        rows, columns = np.nonzero(scene.label_map == 0)
        assert 0.15 < len(rows) / 64**2 < 0.8
        assert 0.35 < rows.mean() / 64 < 0.65
        assert 0.35 < columns.mean() / 64 < 0.65


@pytest.mark.parametrize("size_hw", [(300, 500), (400, 130), (40, 50)])
def test_the_ground_is_an_upright_crop_in_proportion(size_hw: tuple[int, int], squares: Materials):
    materials = squares._replace(photographs=(ramp(size_hw),))
    shares, lefts, tops = [], [], []
    for seed in range(300):
        image = np.asarray(draw_ground(materials, np.random.default_rng(seed))).astype(float)
        assert image.shape == (64, 80, 3)
        (left, right), (top, bottom) = np.sort(image[32, [0, -1], 0]), image[[0, -1], 40, 1]
        height, width = (bottom - top) / 255 * size_hw[0] / 63, (right - left) / 255 * size_hw[1] / 79
        assert height == pytest.approx(width, rel=0.15)  # of a pixel of the scene, in pixels of the photograph
        shares.append(width * 80 / size_hw[1])
        lefts.append(left)
        tops.append(top)
    largest = min(size_hw[0] / 64, size_hw[1] / 80)
    least = largest * max(0.4, min(1, 1 / largest))
    assert min(shares) == pytest.approx(least * 80 / size_hw[1], rel=0.1)
    assert max(shares) == pytest.approx(largest * 80 / size_hw[1], rel=0.1)
    assert np.ptp(lefts) > 100 * (1 - np.mean(shares))


def test_grounds_are_mirrored_half_the_time_and_come_from_all_photographs(squares: Materials):
    materials = squares._replace(photographs=tuple(Image.new("RGB", (90, 90), (grey,) * 3) for grey in (10, 99, 200)))
    drawn = [draw_ground(materials, np.random.default_rng(seed)).getpixel((5, 5)) for seed in range(300)]
    assert min(drawn.count((grey,) * 3) for grey in (10, 99, 200)) > 70
    materials = squares._replace(photographs=(ramp((200, 200)),))
    images = [np.asarray(draw_ground(materials, np.random.default_rng(seed))).astype(int) for seed in range(300)]
    assert 120 < sum(image[32, 0, 0] < image[32, -1, 0] for image in images) < 180
