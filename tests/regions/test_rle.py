from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from rmae.regions.rle import place_rle


def decode(size: tuple[int, int], counts: object) -> np.ndarray:
    """The whole mask, not its box alone."""
    placed, mask = place_rle(size, counts), np.zeros(size, bool)
    mask[placed.box] = placed.pixels
    return mask


def run_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of runs down the columns, the first one off."""
    runs, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            runs.append(0)
            value = bool(pixel)
        runs[-1] += 1
    return runs


def compress(runs: list[int]) -> str:
    """COCO's string: 5 bits a character, a sixth where more follow; from the fourth on, differences."""
    text = ""
    for i, run in enumerate(runs):
        rest = run - runs[i - 2] if i > 2 else run
        while True:
            bits, rest = rest & 31, rest >> 5
            last = rest == (-1 if bits & 16 else 0)
            text += chr(48 + (bits if last else bits | 32))
            if last:
                break
    return text


def test_runs_go_down_the_columns():
    mask = np.array([[0, 0, 1], [0, 1, 1]], dtype=bool)
    np.testing.assert_array_equal(decode((2, 3), [3, 3]), mask, strict=True)
    np.testing.assert_array_equal(decode((2, 3), "33"), mask, strict=True)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("4", [4]),
        ("04", [0, 4]),
        ("?1", [15, 1]),
        ("`05", [16, 5]),  # 16: 5 bits of 10000 would be read as -16, so a character of zeros follows
        ("T34", [100, 4]),  # 100 = 4 + 3 * 32; 4 + 32 + 48 = "T"
        ("1230", [1, 2, 3, 2]),  # the fourth is 0 more than the second
        ("123N", [1, 2, 3, 0]),  # the fourth is 2 less than the second; 30 + 48 = "N"
    ],
)
def test_known_strings(text: str, runs: list[int]):
    column = [i % 2 == 1 for i, run in enumerate(runs) for _ in range(run)]
    np.testing.assert_array_equal(decode((len(column), 1), text), np.array(column)[:, None], strict=True)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_round_trip(share: float):
    generator = np.random.default_rng(0)
    for size in ((1, 1), (5, 3), (70, 90)):
        mask = generator.random(size) < share
        runs = run_lengths(mask)
        np.testing.assert_array_equal(decode(size, runs), mask, strict=True)
        np.testing.assert_array_equal(decode(size, compress(runs)), mask, strict=True)


def test_long_runs_round_trip():
    mask = np.zeros((300, 400), bool)
    mask[17:250, 31:377] = True
    np.testing.assert_array_equal(decode((300, 400), compress(run_lengths(mask))), mask)


@given(height=st.integers(1, 40), width=st.integers(1, 40), share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_decodes_what_pycocotools_encodes(height: int, width: int, share: float, seed: int):
    mask = np.random.default_rng(seed).random((height, width)) < share
    counts = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    np.testing.assert_array_equal(decode((height, width), counts), mask, strict=True)


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 6))
def test_runs_of_no_length_change_nothing(runs: list[int], height: int):
    runs = [*runs, -sum(runs) % height]
    flat = [i % 2 == 1 for i, run in enumerate(runs) for _ in range(run)]
    mask = np.array(flat, dtype=bool).reshape(-1, height).T
    np.testing.assert_array_equal(decode((height, mask.shape[1]), runs), mask, strict=True)


def test_box_holds_no_more_than_the_mask():
    mask = np.zeros((9, 8), bool)
    mask[2:4, 3] = mask[3:7, 5] = True
    placed = place_rle((9, 8), run_lengths(mask))
    assert (placed.top, placed.left, placed.pixels.shape) == (2, 3, (5, 3))
    np.testing.assert_array_equal(placed.pixels, mask[placed.box])


def test_a_run_that_goes_on_in_the_next_column_needs_all_rows():
    placed = place_rle((4, 5), [7, 2, 11])
    assert (placed.top, placed.left) == (0, 1)
    np.testing.assert_array_equal(placed.pixels, np.array([[0, 0, 0, 1], [1, 0, 0, 0]]).T)


def test_nothing_on_has_an_empty_box():
    assert place_rle((4, 5), [20]).pixels.shape == (0, 0)


def test_plain_runs_may_be_packed():
    np.testing.assert_array_equal(decode((2, 3), array("q", [3, 3])), decode((2, 3), [3, 3]))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], "a run-length mask of 2 x 2 pixels has runs that do not fill it exactly"),
        ([5, -1], "do not fill it exactly"),
        ([], "do not fill it exactly"),
        ("", "do not fill it exactly"),
        ([2**62] * 4 + [4], "do not fill it exactly"),
        ([None, 4], "has runs that are no whole numbers of pixels"),
        ([1.5, 2.5], "has runs that are no whole numbers of pixels"),
        ([[1, 2], [1]], "has runs that are no whole numbers of pixels"),
        ([[4]], "has runs that are no whole numbers of pixels"),
        (["4"], "has runs that are no whole numbers of pixels"),
        ([2**70, 4], "has runs that are no whole numbers of pixels"),
        ({}, "has runs that are no whole numbers of pixels"),
        (None, "has runs that are no whole numbers of pixels"),
        ("o" * 30 + "1", "has runs that are no whole numbers of pixels"),
        ("0 4", "holds ' ', which that form does not use"),
        ("0é", "holds 'é', which that form does not use"),
        ("0\ud800", r"holds '\\ud800', which that form does not use"),
        ("0/", "holds '/', which that form does not use"),
        ("0p", "holds 'p', which that form does not use"),
        ("P", "ends in the middle of a number"),
        ("4P", "ends in the middle of a number"),
    ],
)
def test_malformed_masks_are_explained(counts: object, message: str):
    with pytest.raises(ValueError, match=message):
        place_rle((2, 2), counts)
