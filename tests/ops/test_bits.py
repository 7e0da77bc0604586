import numpy as np
import pytest
import torch

from rmae.ops.bits import pack_bits, unpack_bits


def test_the_leftmost_pixel_is_the_highest_bit():
    assert pack_bits(np.array([[True] + [False] * 7, [False] * 7 + [True]])).tolist() == [[128], [1]]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 24, 30])
def test_unpacking_undoes_packing(width):
    maps = np.random.default_rng(0).random((2, 3, 5, width)) < 0.5

    packed = pack_bits(maps)

    assert packed.shape == (2, 3, 5, -(-width // 8))
    assert np.array_equal(unpack_bits(torch.from_numpy(packed), width).numpy(), maps)
