import numpy as np
import pytest

from rmae.data.region_check import CheckedSource, WrongRegionSource

IMAGE = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ([[0]], "a list"),
        (None, "a NoneType"),
        (np.zeros((1, 4, 5)), "an array of float64"),
        (np.zeros((1, 4, 5), bool), "an array of bool"),
        (np.zeros((4, 5), np.int32), r"an array of shape \(4, 5\)"),
        (np.zeros((1, 5, 4), np.int32), r"an array of shape \(1, 5, 4\)"),
        (np.full((1, 4, 5), 2**31), "labels from 2147483648 to 2147483648, which 32 bits do not hold,"),
    ],
)
def test_a_wrong_result_is_described(result: object, fault: str):
    with pytest.raises(
        WrongRegionSource, match=rf"gave {fault} for a\.png; it must give label maps: .* \(maps, 4, 5\)"
    ):
        CheckedSource(lambda image, name: result)(IMAGE, "a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("num_maps", [0, 1, 3])
def test_any_integers_become_32_bits(dtype: type, num_maps: int):
    maps = np.full((num_maps, 4, 5), 100, dtype=dtype)
    np.testing.assert_array_equal(
        CheckedSource(lambda image, name: maps)(IMAGE, "a.png"), maps.astype(np.int32), strict=True
    )
