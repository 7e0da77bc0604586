import numpy as np
import pytest

from rmae.visual.feature_colours import colour_features


def features(*shape: int, seed: int = 0) -> np.ndarray:
    """Features that differ in three directions above all, by different amounts."""
    generator = np.random.default_rng(seed)
    directions = np.linalg.qr(generator.normal(size=(shape[-1], shape[-1])))[0][:3]
    along = generator.normal(size=(*shape[:-1], 3)) * [9, 3, 1]
    return (along @ directions + 0.01 * generator.normal(size=shape)).astype(np.float32)


def test_known_directions_become_red_green_and_blue() -> None:
    values = np.zeros((1, 1, 5, 4))
    values[0, 0, :, 2] = [0, 10, 20, 30, 40]  # what differs most
    values[0, 0, :, 0] = [0, 4, 0, -4, 0]
    values[0, 0, :, 3] = [1, -1, 0, -1, 1]
    drawn = colour_features(values)
    red, green, blue = drawn.colours[0, 0].astype(int).T
    assert red.tolist() == sorted(red.tolist())
    assert (red[0], red[-1]) == (0, 255)
    assert green.argmax() == 1
    assert green.argmin() == 3
    assert blue[0] == blue[4] > blue[2] > blue[1] == blue[3]
    assert sum(drawn.shares) == pytest.approx(1)
    assert drawn.shares[0] > drawn.shares[1] > drawn.shares[2]


def test_like_features_have_like_colours_in_all_pictures() -> None:
    one = features(2, 6, 6, 16)
    one[1, 2, 3] = one[0, 4, 5]
    colours = colour_features(one).colours
    assert colours.shape == (2, 6, 6, 3)
    np.testing.assert_array_equal(colours[1, 2, 3], colours[0, 4, 5])


def test_colours_do_not_depend_on_order_scale_or_place_of_features() -> None:
    values = features(3, 5, 5, 8).astype(np.float64)
    colours = colour_features(values).colours
    np.testing.assert_array_equal(colour_features(values[::-1]).colours[::-1], colours)
    for other in (values * 1000, values + 7):
        assert np.abs(colour_features(other).colours.astype(int) - colours).max() <= 1  # rounding


def test_the_sign_is_that_of_the_largest_entry() -> None:
    values = features(1, 8, 8, 8).astype(np.float64)
    flipped = values.copy()
    flipped[..., 3:] *= -1
    red, red_of_flipped = (colour_features(each).colours[..., 0].astype(float).ravel() for each in (values, flipped))
    vectors = values.reshape(-1, 8) - values.reshape(-1, 8).mean(axis=0)
    main = np.linalg.svd(vectors)[2][0]
    expected = 1 if np.abs(main).argmax() < 3 else -1
    assert np.corrcoef(red, red_of_flipped)[0, 1] == pytest.approx(expected)
    assert np.corrcoef(red, vectors @ (main * np.sign(main[np.abs(main).argmax()])))[0, 1] > 0.99


def test_a_few_patches_far_out_leave_the_others_their_colours() -> None:
    values = np.zeros((1, 20, 20, 3))
    values[..., 0] = np.linspace(0, 1, 400).reshape(20, 20)
    values[0, 0, 0, 0], values[0, 19, 19, 0] = -1000, 1000
    red = colour_features(values).colours[0, ..., 0]
    assert np.ptp(red[1:-1]) > 200


@pytest.mark.parametrize("width", [1, 2, 4])
def test_what_differs_nowhere_is_in_the_middle(width: int) -> None:
    flat = colour_features(np.ones((1, 2, 2, width)))
    assert (flat.colours == 128).all()
    assert flat.shares == (0, 0, 0)
    line = np.zeros((1, 1, 4, width))
    line[0, 0, :, 0] = [0, 1, 2, 3]
    drawn = colour_features(line)
    np.testing.assert_allclose(drawn.colours[0, 0, :, 0], [0, 85, 170, 255], atol=1)
    assert (drawn.colours[..., 1:] == 128).all()
    assert drawn.shares == (1, 0, 0)


def test_all_patches_but_one_alike() -> None:
    values = np.zeros((1, 30, 30, 4))
    values[0, 3, 4] = [0, 0, 5, 0]
    red = colour_features(values).colours[0, ..., 0]
    assert (red[3, 4], np.delete(red.ravel(), 94).max()) == (255, 0)


def test_features_that_are_not_finite_are_refused() -> None:
    values = features(1, 2, 2, 4)
    values[0, 1, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"^features are not finite; look for NaN"):
        colour_features(values)
