import numpy as np
import pytest

from rmae.evaluation.segmentation.photometric import jitter_colors

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 8, 9)).astype(np.uint8)


def test_it_depends_on_the_generator_alone():
    first, same, other = (
        jitter_colors(IMAGE, strength=1.0, generator=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert (first.dtype, first.shape) == (np.uint8, IMAGE.shape)


def test_without_strength_nothing_changes_but_as_much_is_drawn():
    generators = [np.random.default_rng(3) for _ in range(2)]
    unchanged = jitter_colors(IMAGE, strength=0.0, generator=generators[0])
    jitter_colors(IMAGE, strength=1.0, generator=generators[1])
    assert np.abs(unchanged.astype(int) - IMAGE).max() <= 1  # what rounding does
    assert generators[0].random() == generators[1].random()


def test_each_kind_of_change_is_made_half_of_the_time():
    grey = np.full((3, 4, 4), 100, np.uint8)
    means = np.array(
        [jitter_colors(grey, strength=1.0, generator=np.random.default_rng(seed)).mean() for seed in range(400)]
    )
    # Of one grey only the brightness can change; contrast is about its own mean.
    assert 0.4 < np.mean(means == 100) < 0.6
    assert means.min() == pytest.approx(100 - 32, abs=2)
    assert means.max() == pytest.approx(100 + 32, abs=2)
    red = np.zeros((3, 4, 4), np.uint8)
    red[0] = 200
    blue = np.array(
        [jitter_colors(red, strength=1.0, generator=np.random.default_rng(seed))[2].mean() for seed in range(100)]
    )
    assert (blue > 20).any()  # hue turned, or saturation taken away
