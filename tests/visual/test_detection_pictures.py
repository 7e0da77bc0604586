import numpy as np

from rmae.regions.placed_mask import PlacedMask
from rmae.visual.detection_pictures import DrawnObject, detection_figures, draw_objects
from rmae.visual.label_map_pictures import class_colours


def rectangle(left, top, right, bottom, label=0, words=""):
    mask = PlacedMask(top, left, np.ones((bottom - top, right - left), bool))
    return DrawnObject(label, words, (left, top, right, bottom), mask)


def grey(height, width):
    return np.full((height, width, 3), 100, np.uint8)


def test_a_mask_is_a_tint_and_the_box_a_line_in_its_colour():
    (colour,) = class_colours(1)
    drawn = draw_objects(grey(40, 80), [rectangle(20, 10, 60, 30)], num_classes=1)
    assert drawn.shape == (160, 320, 3)  # four times as large
    inside = drawn[60:100, 120:200].reshape(-1, 3)
    assert (inside == inside[0]).all()
    assert (abs(inside[0].astype(float) - (0.58 * 100 + 0.42 * np.array(colour))) <= 1).all()
    assert (drawn[:40] == 100).all()
    assert (drawn[:, :80] == 100).all()
    for line in (drawn[60:118, 80], drawn[60:118, 239], drawn[119, 130:200]):
        assert (line == colour).all()


def test_a_mask_is_enlarged_at_the_centres_of_pixels():
    pixels = np.zeros((9, 11), bool)
    pixels[2, 3] = pixels[5:8, 4:10] = True
    far_box = (0.0, 39.0, 1.0, 40.0)  # away from what is looked at
    shown = draw_objects(grey(40, 40), [DrawnObject(0, "", far_box, PlacedMask(10, 12, pixels))], num_classes=1)
    coloured = (shown != 100).any(axis=2)[: 8 * 38]
    assert np.array_equal(coloured[80:152, 96:184], pixels.repeat(8, axis=0).repeat(8, axis=1))


def test_pictures_are_shrunk_with_their_objects():
    drawn = draw_objects(grey(900, 1280), [rectangle(640, 0, 1280, 900)], num_classes=1)
    assert drawn.shape == (450, 640, 3)
    assert (drawn[:, :320] == 100).all()
    assert (drawn[:, 320:] != 100).any(axis=2).all()


def test_small_objects_are_on_top_of_large_ones():
    red, blue = class_colours(2)
    objects = [rectangle(30, 30, 50, 50, label=1), rectangle(0, 0, 80, 80, label=0)]
    drawn = draw_objects(grey(80, 80), objects, num_classes=2)
    large, both = drawn[40, 200].astype(float), drawn[160, 160].astype(float)
    assert np.abs(large - (58 + 0.42 * np.array(red))).max() <= 1
    assert np.abs(both - (0.58 * large + 0.42 * np.array(blue))).max() <= 1
    assert np.array_equal(drawn, draw_objects(grey(80, 80), objects[::-1], num_classes=2))


def test_tags_lie_inside_the_picture_and_can_be_read():
    words = "an uncommonly long name of a category that nobody would choose 0.98"
    objects = [rectangle(70, 70, 80, 80, words=words), rectangle(0, 0, 9, 9, label=6, words="x")]
    drawn = draw_objects(grey(80, 80), objects, num_classes=7)
    black, white = (drawn == 0).all(axis=2), (drawn == 255).all(axis=2)
    assert black[240:, 100:].sum() > 200  # dark letters on a light ground
    assert white[:40, :40].sum() > 10  # light letters on a dark one


def test_objects_that_reach_out_of_the_picture_or_have_no_pixel_are_drawn():
    objects = [
        DrawnObject(0, "out", (-20.0, -20.0, 500.0, 500.0), PlacedMask(0, 0, np.ones((40, 40), bool))),
        DrawnObject(0, "empty", (5.0, 5.0, 9.0, 9.0), PlacedMask(0, 0, np.zeros((0, 0), bool))),
        DrawnObject(0, "", (7.2, 7.2, 7.3, 7.3), PlacedMask(7, 7, np.ones((1, 1), bool))),
    ]
    assert draw_objects(grey(40, 40), objects, num_classes=1).shape == (320, 320, 3)


def test_truth_and_finds_stand_side_by_side():
    image = grey(40, 80)
    truth, found = detection_figures(image, [rectangle(0, 0, 9, 9)], [], num_classes=3, caption="0 of 4 finds")
    assert (truth.title, truth.caption) == ("Truth", "1 object")
    assert (found.title, found.caption) == ("Found", "0 of 4 finds")
    assert truth.image.shape == found.image.shape == (160, 320, 3)
    assert (found.image == 100).all()
    none, _ = detection_figures(image, [], [], num_classes=3, caption="")
    assert none.caption == "no object"
    two, _ = detection_figures(image, [rectangle(0, 0, 9, 9)] * 2, [], num_classes=3, caption="")
    assert two.caption == "2 objects"
