import numpy as np
import pytest

from rmae.regions.kernels.edges import distribute, edge_costs


def costs_by_numpy(image: np.ndarray) -> list[np.ndarray]:
    """Costs of the four directions as scikit-image computes them from an image (H, W, M)."""

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(np.sum((a - b) * (a - b), axis=-1))

    return [
        distance(image[:, 1:], image[:, :-1]),
        distance(image[1:], image[:-1]),
        distance(image[1:, 1:], image[:-1, :-1]),
        distance(image[1:, :-1], image[:-1, 1:]),
    ]


def inside(costs: np.ndarray) -> list[np.ndarray]:
    """The costs (4, H, W) of edges that stay in the image, by direction."""
    right, down, down_right, up_right = costs
    return [right[:, :-1], down[:-1], down_right[:-1, :-1], up_right[:-1, :-1]]


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 8, 9, 12, 16, 17, 127, 128, 129, 136, 137, 300, 1000])
def test_costs_are_numpys_to_the_last_bit(channels: int):
    """Numpy adds eight values and more in another order, and halves sums of more than 128."""
    image = np.random.default_rng(0).random((9, 8, channels))
    costs = edge_costs(np.ascontiguousarray(np.moveaxis(image, 2, 0)))
    for ours, expected in zip(inside(costs), costs_by_numpy(image), strict=True):
        np.testing.assert_array_equal(ours, expected, strict=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (30, 41)])
def test_every_edge_stands_once_in_a_range_whose_costs_are_not_below_its_lowest(shape: tuple[int, int]):
    height, width = shape
    costs = np.random.default_rng(0).random((4, height, width)) ** 4
    edges, starts, lowest = distribute(costs, highest=1.0)
    numbers = 4 * np.arange(height * width).reshape(shape)[None] + np.arange(4)[:, None, None]
    expected = np.concatenate([part.ravel() for part in inside(numbers)])
    assert sorted(edges.tolist()) == sorted(expected.tolist())
    assert (starts[0], starts[-1]) == (0, len(edges))
    highest_before = 0.0
    for start, stop, low in zip(starts[:-1], starts[1:], lowest, strict=True):
        of_range = edges[start:stop]
        found = costs[of_range & 3, of_range // 4 // width, of_range // 4 % width]
        assert (found >= low).all()
        assert (found >= highest_before).all()
        highest_before = found.max(initial=highest_before)
        directions = of_range & 3
        order = directions.astype(np.int64) * height * width + of_range // 4
        assert (np.diff(order) > 0).all()


def test_ranges_hold_about_equally_many_edges():
    costs = np.random.default_rng(0).random((4, 300, 300)) ** 3
    _, starts, _ = distribute(costs, highest=1.0)
    assert len(starts) > 10
    assert np.diff(starts).max() < 2 * np.diff(starts).mean()
