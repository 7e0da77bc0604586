import numpy as np
import pytest

from rmae.evaluation.confidence import bootstrap


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_means_are_those_of_the_objects_not_of_the_pictures():
    values = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, np.nan]])
    found = bootstrap(values, np.array([7, 7, 2]), generator=generator())
    assert found.mean.tolist() == [1 / 3, 0.25]


def test_what_never_varies_has_no_width():
    found = bootstrap(np.ones(12), np.repeat(np.arange(4), 3), generator=generator())
    assert [each.tolist() for each in found] == [[1.0], [1.0], [1.0]]


def test_pictures_are_drawn_whole():
    """Two pictures, of 1 and of 3 objects: a resample has one, the other, or both, with a known mean each."""
    values, groups = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 1, 1, 1])
    found = bootstrap(values, groups, generator=generator(), level=0.98)
    assert (found.mean[0], found.low[0], found.high[0]) == (0.25, 0.0, 1.0)
    middle = bootstrap(values, groups, generator=generator(), level=0.4)
    assert (middle.low[0], middle.high[0]) == (0.25, 0.25)  # half of the resamples have both


def test_the_interval_is_that_of_the_normal_approximation_where_this_holds():
    values = generator(1).normal(3.0, 2.0, size=4000)
    found = bootstrap(values, np.arange(4000), generator=generator(2), num_resamples=4000)
    margin = 1.96 * values.std() / np.sqrt(4000)
    assert found.mean[0] == pytest.approx(values.mean())
    assert found.low[0] == pytest.approx(values.mean() - margin, abs=0.08 * margin)
    assert found.high[0] == pytest.approx(values.mean() + margin, abs=0.08 * margin)


def test_quantities_are_resampled_together():
    """So the interval of a difference is not the difference of intervals."""
    first = generator(3).random(50)
    values = np.stack([first, first + 0.25, np.full(50, 0.25)], axis=1)
    found = bootstrap(values, np.arange(50), generator=generator(4))
    assert found.low[1] - found.low[0] == pytest.approx(0.25)
    assert found.high[2] - found.low[2] == 0
    assert found.high[0] - found.low[0] > 0.1


def test_groups_may_be_in_any_order_and_have_any_number():
    values = generator(5).random((30, 2))
    groups = np.repeat(np.arange(10), 3)
    order = generator(6).permutation(30)
    one = bootstrap(values, groups, generator=generator())
    other = bootstrap(values[order], groups[order] * 1000 - 3, generator=generator())
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_same_generator_gives_the_same_interval():
    values, groups = generator(7).random(40), np.repeat(np.arange(20), 2)
    one, same, other = (bootstrap(values, groups, generator=generator(seed)) for seed in (1, 1, 2))
    assert [each.tolist() for each in one] == [each.tolist() for each in same]
    assert one.low[0] != other.low[0]


def test_where_there_is_nothing_there_is_no_number():
    empty = bootstrap(np.empty((0, 2)), np.empty(0, np.int64), generator=generator())
    assert all(np.isnan(each).all() and each.shape == (2,) for each in empty)
    undefined = bootstrap(np.full((3, 1), np.nan), np.arange(3), generator=generator())
    assert all(np.isnan(each).all() for each in undefined)


def test_one_picture_says_nothing_of_how_pictures_differ():
    values = np.array([[0.25, 1.0], [0.75, np.nan], [np.nan, 0.0]])
    found = bootstrap(values, np.array([5, 5, 6]), generator=generator())
    assert found.mean.tolist() == [0.5, 0.5]
    assert np.isnan([found.low[0], found.high[0]]).all()  # all of its values are of picture 5
    assert (found.low[1], found.high[1]) == (0.0, 1.0)


def test_what_cannot_be_is_refused():
    values, groups = np.ones((3, 2)), np.arange(3)
    with pytest.raises(ValueError, match=r"found values of shape \(3, 2\) and groups of shape \(2,\); give values"):
        bootstrap(values, groups[:2], generator=generator())
    with pytest.raises(ValueError, match="num_resamples is 0; it must be at least 1"):
        bootstrap(values, groups, generator=generator(), num_resamples=0)
    with pytest.raises(ValueError, match=r"level is 95; it must lie in \(0, 1\)"):
        bootstrap(values, groups, generator=generator(), level=95)


def clustered(seed: int, num_pictures: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Objects whose mean is 0.5, those of one picture alike."""
    rng = generator(seed)
    groups = np.repeat(np.arange(num_pictures), rng.integers(1, 9, num_pictures))
    noise = 0.2 * rng.standard_normal(num_pictures)[groups] + 0.1 * rng.standard_normal(len(groups))
    return 0.5 + noise, groups, rng


def test_of_a_hundred_intervals_about_95_hold_the_true_mean():
    """Intervals that take objects of one picture for independent hold it far less often."""
    held = [0, 0]
    for seed in range(400):
        values, groups, rng = clustered(seed, num_pictures=100)
        for kind, of in enumerate((groups, np.arange(len(groups)))):
            found = bootstrap(values, of, generator=rng, num_resamples=500)
            held[kind] += found.low[0] <= 0.5 <= found.high[0]
    assert 0.92 < held[0] / 400 < 0.97
    assert held[1] / 400 < 0.75
