import numpy as np
import pytest

from rmae.scenes.colours import FAR_ENOUGH, draw_palette_apart, draw_palettes


def between(palette: np.ndarray) -> np.ndarray:
    shares = np.linspace(0, 1, 21)[:, None]
    return palette[0] * (1 - shares) + palette[1] * shares


def distance(palette: np.ndarray, other: np.ndarray) -> float:
    return np.linalg.norm(between(palette)[:, None] - between(other)[None], axis=-1).min()


def test_palettes_are_colours_of_many_hues():
    palettes = draw_palettes(500, (0.0, 1.0), np.random.default_rng(0))
    assert (palettes.shape, palettes.dtype) == ((500, 2, 3), np.float32)
    assert palettes.min() >= 0
    assert palettes.max() <= 1
    assert set(palettes[:, 0].argmax(axis=1)) == {0, 1, 2}
    assert set(palettes[:, 0].argmin(axis=1)) == {0, 1, 2}


def test_spread_says_how_far_the_second_colour_is():
    same = draw_palettes(5, (0.0, 0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(same[:, 0], same[:, 1])
    near, far = (draw_palettes(200, (share, share), np.random.default_rng(0)) for share in (0.1, 0.5))
    ratio = np.linalg.norm(far[:, 1] - far[:, 0], axis=1) / np.linalg.norm(near[:, 1] - near[:, 0], axis=1)
    np.testing.assert_allclose(ratio, 5, rtol=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_what_lies_on_a_ground_can_be_told_from_it(seed: int):
    generator = np.random.default_rng(seed)
    ground = draw_palettes(1, (0.2, 0.6), generator)
    palette = draw_palette_apart(ground, (0.1, 0.35), generator)
    assert distance(palette, ground[0]) > 0.9 * FAR_ENOUGH  # it is measured at five steps of each


def test_among_too_many_others_the_farthest_is_taken():
    others = draw_palettes(400, (0.5, 1.0), np.random.default_rng(1))
    palette = draw_palette_apart(others, (0.1, 0.3), np.random.default_rng(2))
    candidates = draw_palettes(48, (0.1, 0.3), np.random.default_rng(2))
    distances = [min(distance(candidate, other) for other in others) for candidate in candidates[:10]]
    assert max(distances) < FAR_ENOUGH
    assert min(distance(palette, other) for other in others) > np.median(distances)
