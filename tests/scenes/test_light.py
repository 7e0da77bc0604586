import numpy as np

from rmae.scenes.light import draw_light

TABLES = np.stack([draw_light(np.random.default_rng(seed)) for seed in range(300)]).astype(int)


def test_without_strength_nothing_changes():
    table = draw_light(np.random.default_rng(0), strength=0)
    np.testing.assert_array_equal(table, np.tile(np.arange(256, dtype=np.uint8), (3, 1)), strict=True)


def test_brighter_stays_brighter_and_changes_are_small():
    assert (np.diff(TABLES, axis=2) >= 0).all()
    middle = TABLES[:, :, 128] / 128
    assert 0.6 < middle.min() < 0.75
    assert 1.25 < middle.max() < 1.6
    assert 0.97 < middle.mean() < 1.05


def test_tint_differs_from_draw_to_draw_and_stays_small():
    ratios = TABLES[:, 0, 128] / TABLES[:, 2, 128]
    assert 0.88 < ratios.min() < 0.96
    assert 1.04 < ratios.max() < 1.13
    weak = np.stack([draw_light(np.random.default_rng(seed), strength=0.5) for seed in range(300)]).astype(int)
    assert np.abs(weak[:, :, 128] - 128).mean() < 0.6 * np.abs(TABLES[:, :, 128] - 128).mean()
