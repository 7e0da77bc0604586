import numpy as np
import pytest

from rmae.scenes.scene import GROUND, MOST_OBJECTS, Layer, Scene, compose, draw_scene, draw_single
from rmae.scenes.shapes import SHAPES, draw_shape, signed_distance

NUM = 300
SCENES = [draw_scene((64, 64), np.random.default_rng([0, i])) for i in range(NUM)]


def mean_colours(scenes: list[Scene]) -> dict[int, np.ndarray]:
    """Mean colours of the objects of each class, (n, 3)."""
    found: dict[int, list[np.ndarray]] = {i: [] for i in range(len(SHAPES))}
    for scene in scenes:
        for label, class_ in enumerate(scene.classes.tolist()):
            found[class_].append(scene.image[scene.label_map == label].mean(axis=0))
    return {class_: np.array(colours) for class_, colours in found.items()}


def test_scenes_have_the_form_they_say():
    scene = draw_scene((48, 80), np.random.default_rng(3))
    assert (scene.image.shape, scene.image.dtype) == ((48, 80, 3), np.uint8)
    assert (scene.label_map.shape, scene.label_map.dtype) == ((48, 80), np.int32)
    assert scene.classes.dtype == np.int64


def test_every_object_is_visible_and_has_a_class():
    for scene in SCENES:
        assert set(np.unique(scene.label_map)) - {GROUND} == set(range(len(scene.classes)))
        assert ((scene.classes >= 0) & (scene.classes < len(SHAPES))).all()


def test_numbers_of_objects_and_classes_are_even_and_some_scenes_are_empty():
    numbers = np.bincount([len(scene.classes) for scene in SCENES])
    assert len(numbers) == MOST_OBJECTS + 1
    assert NUM / 75 < numbers[0] < NUM / 12
    assert numbers[1:].min() > NUM / 10
    classes = np.bincount(np.concatenate([scene.classes for scene in SCENES]))
    assert classes.min() > 0.8 * classes.max()


def test_objects_can_be_told_from_the_ground():
    differences = [
        np.linalg.norm(scene.image[scene.label_map == label].mean(axis=0) - ground)
        for scene in SCENES
        for ground in [scene.image[scene.label_map == GROUND].mean(axis=0)]
        for label in range(len(scene.classes))
    ]
    assert min(differences) > 0.2 * 255


def test_each_class_has_a_hue_of_its_own():
    strongest = {"disc": 0, "triangle": 1, "square": 2}  # red, green, blue
    for class_, colours in mean_colours(SCENES).items():
        assert (colours.argmax(axis=1) == strongest[SHAPES[class_]]).mean() > 0.9


def test_if_so_wanted_colours_do_not_give_the_class_away():
    singles, many = (
        [draw(np.random.default_rng([1, i]), i) for i in range(600)]
        for draw in (
            lambda generator, i: draw_single(SHAPES[i % 3], (32, 32), generator, by_shape_alone=True),
            lambda generator, i: draw_scene((64, 64), generator, by_shape_alone=True),
        )
    )
    for scenes in (many, singles):
        colours = mean_colours(scenes)
        for one, other in ((0, 1), (0, 2), (1, 2)):
            for measure in (lambda c: c, lambda c: (c - 128) ** 2):  # neither their mean nor their spread
                a, b = measure(colours[one]), measure(colours[other])
                error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
                assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4 * error).all()
    everything = np.concatenate(list(mean_colours(singles).values()))
    assert everything.std(axis=0).min() > 40  # of 255: no class has a colour of its own


def test_areas_do_not_give_the_class_away():
    areas = {i: [] for i in range(len(SHAPES))}
    for i in range(600):
        scene = draw_single(SHAPES[i % 3], (32, 32), np.random.default_rng([2, i]))
        areas[i % 3].append((scene.label_map == 0).mean())
    means = [np.mean(found) for found in areas.values()]
    assert max(means) < 1.15 * min(means)


@pytest.mark.parametrize("name", SHAPES)
def test_a_single_shape_is_large_and_near_the_middle(name):
    for i in range(50):
        scene = draw_single(name, (64, 64), np.random.default_rng(i))
        assert scene.classes.tolist() == [SHAPES.index(name)]
        rows, columns = np.nonzero(scene.label_map == 0)
        assert 0.07 < len(rows) / 64**2 < 0.4
        assert 64 * 0.25 < rows.mean() < 64 * 0.75
        assert 64 * 0.25 < columns.mean() < 64 * 0.75


@pytest.mark.parametrize("name", SHAPES)
def test_the_truth_is_that_of_the_shape(name):
    scene = draw_single(name, (64, 64), np.random.default_rng(4))
    shape = draw_shape(name, (64, 64), np.random.default_rng(4), diameters=(0.35, 0.7), margin=0.3)
    distance = signed_distance(shape, (64, 64))
    np.testing.assert_array_equal(scene.label_map == 0, distance <= 0)
    # The picture is softened over one pixel alone, so that only the outermost pixels hold something of the ground.
    inside, outside = scene.image[distance < -0.5], scene.image[distance > 0.5]
    assert np.linalg.norm(inside.mean(axis=0) - outside.mean(axis=0)) > 0.2 * 255
    nearest = [scene.image[(low < distance) & (distance < high)].mean(axis=0) for low, high in ((-2, -0.5), (0.5, 2))]
    np.testing.assert_allclose(nearest[0], inside.mean(axis=0), atol=20)
    np.testing.assert_allclose(nearest[1], outside.mean(axis=0), atol=45)


def test_later_objects_lie_over_earlier_ones():
    ground = np.zeros((1, 4, 3), dtype=np.float32)
    ones = np.ones((1, 4, 3), dtype=np.float32)
    low = Layer(np.array([[1, 1, 0, 0]], dtype=bool), np.float32([[1, 1, 0.25, 0]]), 0.5 * ones)
    high = Layer(np.array([[0, 1, 0, 0]], dtype=bool), np.float32([[0, 0.5, 0.5, 0]]), ones)
    picture, label_map = compose(ground, [low, high])
    np.testing.assert_array_equal(label_map, np.array([[0, 1, GROUND, GROUND]], dtype=np.int32), strict=True)
    np.testing.assert_array_equal(picture[..., 0], [[0.5, 0.75, 0.5625, 0]])
    assert ground.max() == 0  # left as it was
