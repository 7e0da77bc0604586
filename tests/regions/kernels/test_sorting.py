import numpy as np
import pytest

from rmae.regions.kernels.sorting import sort_edges

COSTS = {
    "random": lambda generator, size: generator.random(size),
    "all equal": lambda generator, size: np.full(size, 0.25),
    "two values": lambda generator, size: generator.integers(0, 2, size) / 3,
    "few values": lambda generator, size: generator.integers(0, 50, size) / 7,
    "nearly equal": lambda generator, size: 0.5 + generator.integers(0, 9, size) * 2.0**-53,
    "nearly equal and one far": lambda generator, size: np.append(
        1e6, 0.5 + generator.integers(0, 9, size - 1) * 2.0**-50
    ),
    "falling": lambda generator, size: np.arange(size)[::-1] / size,
    "many magnitudes": lambda generator, size: 10.0 ** generator.uniform(-300, 2, size),
}


@pytest.mark.parametrize("num_pixels", [1, 2, 3, 1000, 20_000])
@pytest.mark.parametrize("kind", COSTS)
def test_sorting_is_stable_and_exact(kind: str, num_pixels: int):
    generator = np.random.default_rng(0)
    costs = COSTS[kind](generator, 4 * num_pixels).reshape(4, num_pixels)
    edges = generator.permutation(4 * num_pixels).astype(np.uint32)
    before = costs[edges & 3, edges >> 2]
    expected = edges[np.argsort(before, kind="stable")]
    sorted_costs = sort_edges(edges, costs)
    np.testing.assert_array_equal(edges, expected)
    np.testing.assert_array_equal(sorted_costs, np.sort(before))
