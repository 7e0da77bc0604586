from collections import Counter

import numpy as np

from rmae.scenes.placement import LEAST_VISIBLE, place_shapes
from rmae.scenes.shapes import SHAPES, signed_distance

NAMES = [SHAPES[i % 3] for i in range(5)]
SCENES = [place_shapes(NAMES, (96, 128), np.random.default_rng(seed)) for seed in range(60)]


def test_every_shape_keeps_its_least_visible_share():
    for shapes in SCENES:
        masks = [signed_distance(shape, (96, 128)) <= 0 for shape in shapes]
        for i, shape in enumerate(shapes):
            above = np.any(masks[i + 1 :], axis=0) if i + 1 < len(masks) else False
            assert (masks[i] & ~above).sum() >= LEAST_VISIBLE * shape.area


def test_shapes_overlap_and_leave_the_picture_at_times():
    hidden, outside = 0, 0
    for shapes in SCENES:
        masks = [signed_distance(shape, (96, 128)) <= 0 for shape in shapes]
        hidden += (np.sum(masks, axis=0) > 1).sum() > 20
        outside += any(mask.sum() < 0.95 * shape.area for mask, shape in zip(masks, shapes, strict=True))
    assert 20 < hidden <= 60
    assert 20 < outside <= 60


def test_few_shapes_are_left_out_and_their_order_is_kept():
    numbers = Counter(len(shapes) for shapes in SCENES)
    assert numbers[5] >= 45
    assert min(numbers) >= 3
    assert all([shape.name for shape in shapes] == NAMES for shapes in SCENES if len(shapes) == 5)


def test_shapes_that_find_no_place_are_left_out():
    shapes = place_shapes(["disc"] * 60, (64, 64), np.random.default_rng(0))
    assert 5 < len(shapes) < 60


def test_nothing_is_placed_where_nothing_is_asked_for():
    assert place_shapes([], (64, 64), np.random.default_rng(0)) == []
