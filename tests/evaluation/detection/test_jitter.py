"""Pictures and masks in one geometry, against a pixel by pixel computation."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from rmae.evaluation.detection.jitter import Placement, draw_placement, fit, place_image, place_mask
from rmae.regions.placed_mask import PlacedMask, cut_out

PLACEMENTS = [
    Placement((20, 30), (20, 30), 0, 0, (20, 30), mirrored=False),
    Placement((20, 30), (20, 30), 0, 0, (20, 30), mirrored=True),
    Placement((20, 30), (13, 17), 0, 0, (13, 17), mirrored=True),
    Placement((20, 30), (47, 71), 5, 23, (32, 32), mirrored=False),
    Placement((20, 30), (47, 71), 15, 39, (32, 32), mirrored=True),
    Placement((20, 30), (2, 3), 0, 0, (2, 3), mirrored=False),
]


def expected_mask(mask: np.ndarray, placement: Placement) -> np.ndarray:
    """Of each pixel of the frame the pixel of the picture in which its centre lies, in exact fractions."""
    seen = mask[:, ::-1] if placement.mirrored else mask
    (height, width), (rows, columns) = placement.picture_hw, placement.scaled_hw
    shown = np.zeros(placement.shown_hw, bool)
    for i in range(shown.shape[0]):
        for j in range(shown.shape[1]):
            row = floor(Fraction(2 * (placement.top + i) + 1, 2) * height / rows)
            column = floor(Fraction(2 * (placement.left + j) + 1, 2) * width / columns)
            shown[i, j] = seen[row, column]
    return shown


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("box", [(0, 0, 20, 30), (3, 4, 12, 9), (19, 29, 20, 30), (0, 12, 20, 13)])
def test_masks_are_exact_at_the_centres_of_pixels(placement, box):
    top, left, bottom, right = box
    mask = np.zeros((20, 30), bool)
    mask[top:bottom, left:right] = np.random.default_rng(0).random((bottom - top, right - left)) < 0.6
    placed = place_mask(cut_out(mask), placement)
    shown = np.zeros(placement.shown_hw, bool)
    shown[placed.box] = placed.pixels
    assert np.array_equal(shown, expected_mask(mask, placement))
    if placed.pixels.size:  # no row or column at the edge of the box without a pixel
        assert placed.pixels[[0, -1]].any(axis=1).all()
        assert placed.pixels[:, [0, -1]].any(axis=0).all()


@pytest.mark.parametrize("scaled", [(60, 90), (100, 150), (47, 71), (11, 17)])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("edge", [(slice(0, 12), slice(None)), (slice(None), slice(7, None))])
def test_the_edge_of_an_object_lies_in_the_picture_where_it_lies_in_the_mask(scaled, mirrored, edge):
    """Interpolation crosses one half where the object ends, and so must the mask, to the pixel."""
    mask = np.zeros((20, 30), bool)
    mask[edge] = True
    image = np.where(mask, 200, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    placement = Placement((20, 30), scaled, 0, 0, scaled, mirrored=mirrored)
    bright = place_image(image, placement, scaled, (0, 0, 0))[0].astype(float)
    placed = place_mask(cut_out(mask), placement)
    on = np.zeros(scaled, bool)
    on[placed.box] = placed.pixels
    sure = np.abs(bright - 100) > 2  # a pixel whose centre lies on the edge may belong to either side
    assert (on == (bright > 100))[sure].all()
    assert sure.mean() > 0.9


def test_a_crop_is_a_part_of_the_whole():
    """A crop of the scaled picture, made from the picture itself, is what would have been cut out of all of it."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    whole = Placement((40, 50), (90, 113), 0, 0, (90, 113), mirrored=True)
    part = whole._replace(top=31, left=17, shown_hw=(32, 48))
    expected = place_image(image, whole, (90, 113), (0, 0, 0))[:, 31:63, 17:65]
    cut = place_image(image, part, (32, 48), (0, 0, 0))
    assert np.abs(cut.astype(int) - expected).max() <= 1  # rounding of what is resized first across, then down


def test_the_rest_of_the_frame_is_filled():
    image = np.full((10, 20, 3), 200, np.uint8)
    framed = place_image(image, fit((10, 20), (32, 32)), (32, 32), (1, 2, 3))
    assert framed.shape == (3, 32, 32)
    assert (framed[:, :16] == 200).all()
    assert framed[:, 16:].reshape(3, -1).T.tolist() == [[1, 2, 3]] * (16 * 32)


@pytest.mark.parametrize(
    ("picture", "frame", "scale", "scaled", "shown"),
    [
        ((480, 640), (1024, 1024), 1.0, (768, 1024), (768, 1024)),
        ((480, 640), (1024, 1024), 2.0, (1536, 2048), (1024, 1024)),
        ((480, 640), (1024, 1024), 0.1, (77, 102), (77, 102)),
        ((640, 480), (512, 1024), 1.0, (512, 384), (512, 384)),
        ((3, 1000), (64, 64), 0.1, (1, 6), (1, 6)),
    ],
)
def test_pictures_fit_their_frame(picture, frame, scale, scaled, shown):
    assert fit(picture, frame, scale) == Placement(picture, scaled, 0, 0, shown, mirrored=False)


def test_what_is_drawn_covers_its_range():
    generator = np.random.default_rng(0)
    drawn = [
        draw_placement((100, 200), (64, 64), scale=(0.5, 2.0), flip=0.25, generator=generator) for _ in range(2000)
    ]
    scales = np.array([each.scaled_hw[1] / 64 for each in drawn])
    assert (scales.min(), scales.max()) == (pytest.approx(0.5, abs=0.02), pytest.approx(2, abs=0.02))
    assert scales.mean() == pytest.approx(1.25, abs=0.03)
    assert np.mean([each.mirrored for each in drawn]) == pytest.approx(0.25, abs=0.03)
    room = [(each.scaled_hw[1] - each.shown_hw[1], each.left) for each in drawn]
    assert all(0 <= left <= most for most, left in room)
    assert np.mean([left / most for most, left in room if most > 20]) == pytest.approx(0.5, abs=0.05)
    assert all(each.shown_hw == (min(64, each.scaled_hw[0]), min(64, each.scaled_hw[1])) for each in drawn)


def test_a_mask_that_is_cut_off_is_empty():
    placement = Placement((20, 20), (40, 40), 0, 20, (20, 20), mirrored=False)
    assert place_mask(PlacedMask(0, 0, np.ones((5, 5), bool)), placement).pixels.shape == (0, 0)
