import numpy as np
import pytest

from rmae.visual.outlines import OUTLINE_COLOUR, draw_outline


def test_the_line_lies_inside_the_mask_and_a_black_one_around_it():
    image = np.full((7, 8, 3), 200, np.uint8)
    mask = np.zeros((7, 8), dtype=bool)
    mask[2:6, 2:6] = True
    drawn = draw_outline(image, mask)
    line = (drawn == OUTLINE_COLOUR).all(axis=-1)
    expected = mask.copy()
    expected[3:5, 3:5] = False
    assert np.array_equal(line, expected)
    black = (drawn == 0).all(axis=-1)
    assert not (black & mask).any()
    assert black.sum() == 4 * 4
    assert (image == 200).all()  # a new picture
    assert (drawn[~(line | black)] == 200).all()


def test_it_is_closed_at_the_border_and_wider_in_large_pictures():
    mask = np.ones((256, 300), dtype=bool)
    line = (draw_outline(np.zeros((256, 300, 3), np.uint8), mask) == OUTLINE_COLOUR).all(axis=-1)
    assert line[:2].all()
    assert line[:, -2:].all()
    assert not line[2:-2, 2:-2].any()


def test_an_empty_mask_leaves_no_trace_and_another_size_is_refused():
    image = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    assert np.array_equal(draw_outline(image, np.zeros((6, 6), dtype=bool)), image)
    with pytest.raises(ValueError, match=r"the mask has 5 x 6 pixels \(height x width\), but the picture 6 x 6; give"):
        draw_outline(image, np.zeros((5, 6), dtype=bool))
