import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from rmae.regions.blobs import draw_blob, nearest_pixels


@given(height=st.integers(1, 25), width=st.integers(1, 25), share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_blobs_have_exactly_their_area_inside_the_image(height: int, width: int, share: float, seed: int):
    area = max(1, round(share * height * width))
    placed = draw_blob(area, height, width, np.random.default_rng(seed))
    mask = np.zeros((height, width), bool)
    mask[placed.box] = placed.pixels
    assert mask.sum() == placed.pixels.sum() == area


@pytest.mark.parametrize("area", [3, 30, 300, 3000, 8000])
def test_blobs_are_in_one_piece_and_compact(area: int):
    generator = np.random.default_rng(0)
    for _ in range(20):
        placed = draw_blob(area, 90, 100, generator)
        assert label(placed.pixels, connectivity=2).max() == 1
        # The disc of this area has a perimeter of 3.5 sqrt(area); corners of the image and waves make it longer.
        padded = np.pad(placed.pixels, 1).astype(int)
        edges = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
        assert edges < 8 * np.sqrt(area)


@pytest.mark.parametrize("size", [(40, 60), (200, 9), (1, 1000)])
def test_the_nearest_pixels_of_the_whole_image_are_found(size: tuple[int, int]):
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for area in (1, 7, 75, 1000):
        for share in (1, 1, 1, 1, 0.05, 0.05, 0.05, 0.05):  # of the image, from a corner, in which the centre lies
            x, y = generator.uniform(0, share * (size[1] - 1)), generator.uniform(0, share * (size[0] - 1))
            lengths, angles = 0.9 * generator.dirichlet([0.3] * 3), generator.uniform(-3, 3, 3)
            directions = np.arctan2(rows - y, columns - x)
            radius = 1 + sum(lengths[k] * np.cos((k + 1) * directions + angles[k]) for k in range(3))
            distances = np.hypot(rows - y, columns - x) / radius
            placed = nearest_pixels(area, complex(x, y), lengths * np.exp(1j * angles), *size)
            mask = np.zeros(size, bool)
            mask[placed.box] = placed.pixels
            np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(np.argsort(distances, axis=None)[:area]))


def test_of_equally_far_pixels_the_upper_ones_are_taken():
    placed = nearest_pixels(3, 2 + 2j, np.zeros(1), 5, 5)
    mask = np.zeros((5, 5), bool)
    mask[placed.box] = placed.pixels
    assert np.argwhere(mask).tolist() == [[1, 2], [2, 1], [2, 2]]


def test_shapes_and_places_vary():
    generator = np.random.default_rng(0)
    masks, rows, columns = set(), [], []
    for _ in range(100):
        placed = draw_blob(50, 60, 80, generator)
        cut = placed.pixels[placed.pixels.any(axis=1)][:, placed.pixels.any(axis=0)]
        masks.add(cut.tobytes())
        rows.append(placed.top)
        columns.append(placed.left)
    assert len(masks) > 80
    assert min(rows) < 6
    assert max(rows) > 45
    assert min(columns) < 6
    assert max(columns) > 62
