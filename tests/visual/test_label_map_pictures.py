import numpy as np
import pytest
from skimage.color import rgb2lab

from rmae.visual.label_map_pictures import _as_seen, class_colours, class_legend, draw_classes, label_map_figures
from rmae.visual.region_colours import REGION_COLOURS

PHOTO = np.full((20, 30, 3), 100, np.uint8)


def test_a_class_has_its_colour_however_many_there_are():
    assert class_colours(7) == REGION_COLOURS
    assert class_colours(20) == class_colours(200)[:20]
    assert all(0 <= value <= 255 for colour in class_colours(200) for value in colour)


def nearest(colours: np.ndarray) -> float:
    """Least distance in Lab between two colours, to the eyes that tell them apart worst."""
    seen = _as_seen(colours)
    distances = np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1).min(axis=0)
    return float(distances[~np.eye(len(colours), dtype=bool)].min())


@pytest.mark.parametrize(("num_classes", "distance"), [(12, 15), (21, 10), (150, 3)])
def test_colours_can_be_told_apart_without_red_or_green_cones_too(num_classes: int, distance: float):
    colours = np.array(class_colours(num_classes))
    assert nearest(colours) > distance
    random = np.random.default_rng(0).integers(0, 256, (num_classes, 3))
    assert nearest(colours) > 2 * nearest(random)


def test_no_class_looks_like_what_has_none():
    """Drawn over any grey, a class keeps a hue, or is lighter than what has no class can be."""
    for red, green, blue in class_colours(40):
        assert max(red, green, blue) - min(red, green, blue) > 20 or min(red, green, blue) > 128


def test_eyes_that_see_all_see_colours_as_they_are():
    colours = np.array(class_colours(30))
    normal = _as_seen(colours)[0]
    np.testing.assert_allclose(normal, rgb2lab(colours / 255), atol=0.05)
    greys = np.repeat(np.arange(0, 256, 5)[:, None], 3, axis=1)
    for seen in _as_seen(greys):  # greys look grey to everyone
        assert np.abs(seen[:, 1:]).max() < 1.5
    red_green = np.array([[200, 60, 60], [110, 110, 40]])
    whole, *lacking = np.linalg.norm(np.diff(_as_seen(red_green), axis=1)[:, 0], axis=-1)
    assert max(lacking) < 0.7 * whole


def test_classes_are_drawn_flat_and_what_has_none_dark():
    labels = np.zeros((20, 30), np.int16)
    labels[:, 10:20], labels[:, 20:] = 1, -1
    drawn = draw_classes(PHOTO, labels)
    first, second = (np.round(0.72 * np.array(colour) + 28) for colour in REGION_COLOURS[:2])
    np.testing.assert_array_equal(drawn[5, 5], first)
    np.testing.assert_array_equal(drawn[5, 15], second)
    np.testing.assert_array_equal(drawn[5, 25], [35, 35, 35])
    for column in (9, 19):
        np.testing.assert_array_equal(drawn[5, column], [255, 255, 255])


def test_labels_beyond_a_byte_can_be_drawn():
    labels = np.full((20, 30), 299, np.int16)
    np.testing.assert_array_equal(
        draw_classes(PHOTO, labels)[0, 0], np.round(0.72 * np.array(class_colours(300)[299]) + 28)
    )


def test_a_picture_is_shown_with_truth_and_prediction():
    truth = np.zeros((20, 30), np.int16)
    truth[:, 20:] = -1
    predicted = np.zeros((20, 30), np.int64)
    predicted[:5] = 1
    picture, true, guess = label_map_figures(PHOTO, truth, predicted)
    assert {view.image.shape for view in (picture, true, guess)} == {(220, 330, 3)}
    assert (picture.title, true.title, guess.title) == ("Picture", "Truth", "Prediction")
    assert true.caption == "66.7% of its pixels have a label."
    assert guess.caption == "75.0% of the labelled pixels are right."
    nothing = label_map_figures(PHOTO, np.full((20, 30), -1), predicted)
    assert nothing[2].caption == "No pixel has a label."


def test_the_legend_names_what_is_to_be_seen():
    legend = class_legend(("wall", "sky", "tree"), np.array([[2, -1], [0, 2]]))
    assert [name for _, name in legend] == ["wall", "tree"]
    red, green, blue = (round(0.72 * value + 0.28 * 128) for value in REGION_COLOURS[0])
    assert legend[0][0] == f"#{red:02x}{green:02x}{blue:02x}"
