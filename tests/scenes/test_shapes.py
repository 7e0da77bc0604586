import numpy as np
import pytest

from rmae.scenes.shapes import SHAPES, Shape, ShapeName, draw_shape, signed_distance


def mask(name: ShapeName, *, diameter: float, centre_xy: tuple[float, float], angle: float = 0.0, size_hw=(5, 6)):
    return signed_distance(Shape(name, centre_xy, diameter, angle), size_hw) <= 0


def test_a_pixel_belongs_to_the_disc_that_its_centre_lies_in():
    expected = [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(mask("disc", diameter=2.1, centre_xy=(3.5, 2.5)), expected)


def test_a_square_has_the_area_of_its_disc():
    side = 3.1
    expected = np.zeros((5, 6), dtype=bool)
    expected[1:4, 2:5] = True
    diameter = side * 2 / np.sqrt(np.pi)
    np.testing.assert_array_equal(mask("square", diameter=diameter, centre_xy=(3.5, 2.5)), expected)
    np.testing.assert_array_equal(mask("square", diameter=diameter, centre_xy=(3.5, 2.5), angle=np.pi / 2), expected)


def test_a_triangle_points_away_from_its_angle():
    found = mask("triangle", diameter=40, centre_xy=(32, 32), angle=np.pi / 2, size_hw=(64, 64))
    widths = found.sum(axis=1)
    rows = np.flatnonzero(widths)
    assert (np.diff(widths[rows]) >= 0).all()  # wider and wider downwards
    assert widths[rows[-1]] == pytest.approx(len(rows) * 2 / np.sqrt(3), abs=2)  # equilateral


@pytest.mark.parametrize("name", SHAPES)
def test_all_shapes_cover_the_area_they_say(name: ShapeName):
    for angle in np.linspace(0, 2, 7):
        shape = Shape(name, (60.3, 64.8), 50.0, float(angle))
        assert (signed_distance(shape, (128, 128)) <= 0).sum() == pytest.approx(shape.area, rel=0.02)


@pytest.mark.parametrize("name", SHAPES)
def test_distances_grow_by_one_a_pixel_straight_away_from_the_edge(name: ShapeName):
    distance = signed_distance(Shape(name, (16.0, 16.0), 10.0, 0.0), (32, 32))
    np.testing.assert_allclose(np.diff(distance[16, 20:]), 1, atol=0.02)
    assert distance.dtype == np.float32


def test_shapes_are_drawn_within_their_limits():
    generator = np.random.default_rng(0)
    shapes = [draw_shape("disc", (100, 200), generator, diameters=(0.2, 0.6), margin=0.1) for _ in range(300)]
    x, y = np.array([shape.centre_xy for shape in shapes]).T
    diameters = [shape.diameter for shape in shapes]
    for values, low, high in ((x, 20, 180), (y, 10, 90), (diameters, 20, 60)):
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
