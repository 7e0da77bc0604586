import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmae.regions.kernels.runs import join_runs


def joined(numbers: np.ndarray, num_rows: int, width: int, num_bytes: int = 4) -> tuple[bool, np.ndarray]:
    """Numbers after their way through planes of bytes, and whether they are runs."""
    planes = np.ascontiguousarray(numbers.astype("<u4").view(np.uint8).reshape(-1, 4).T[:num_bytes]).ravel()
    planes.setflags(write=False)  # as they come out of the bytes of a file
    values = np.empty(len(numbers), np.uint32)
    return join_runs(planes, num_rows, width, values), values


def runs(counts: list[int], lengths: list[int], labels: list[int]) -> np.ndarray:
    return np.array([*counts, *lengths, *(label + 1 for label in labels)], dtype=np.int64).astype(np.uint32)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), st.integers(1, 4))
def test_numbers_are_put_together_from_their_bytes(numbers: list[int], num_bytes: int):
    labels = np.array([2**32 - 1, 0x01020380, 0, *numbers], dtype=np.uint32) & np.uint32(2 ** (8 * num_bytes) - 1)
    lengths = np.ones_like(labels)
    counts = np.array([len(labels)], dtype=np.uint32)
    fits, values = joined(np.concatenate([counts, lengths, labels]), 1, len(labels), num_bytes)
    assert fits
    np.testing.assert_array_equal(values, np.concatenate([counts, lengths, labels - np.uint32(1)]), strict=True)


@pytest.mark.parametrize(
    ("counts", "lengths", "labels"),
    [([], [], []), ([1], [5], [7]), ([2, 1], [1, 4, 5], [0, -1, 2**31 - 1]), ([5], [1] * 5, [0] * 5)],
)
def test_runs_that_fill_their_rows_fit(counts: list[int], lengths: list[int], labels: list[int]):
    fits, values = joined(runs(counts, lengths, labels), len(counts), 5)
    assert fits
    np.testing.assert_array_equal(values.view(np.int32), [*counts, *lengths, *labels])


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ([1], [4]),
        ([1], [6]),
        ([2], [5]),
        ([0], [5]),
        ([1, 1], [5]),
        ([1], [5, 5]),
        ([2], [0, 5]),
        ([2, 0], [5, 5]),
        ([2**32 - 1], [5]),
        ([2], [2**32 - 1, 6]),  # 5 in 32 bits
    ],
)
def test_runs_that_do_not_fill_their_rows_do_not_fit(counts: list[int], lengths: list[int]):
    assert not joined(runs(counts, lengths, [0] * len(lengths)), len(counts), 5)[0]
