import math

import torch

from rmae.ops.positions import sincos_positions


def test_the_table_written_out():
    table = sincos_positions(8, (2, 3))

    assert table.shape == (1, 7, 8)
    assert table.dtype == torch.float32
    frequencies = [1.0, 10000**-0.5]
    for row in range(2):
        for column in range(3):
            expected = [
                *(math.sin(column * w) for w in frequencies),
                *(math.cos(column * w) for w in frequencies),
                *(math.sin(row * w) for w in frequencies),
                *(math.cos(row * w) for w in frequencies),
            ]
            torch.testing.assert_close(table[0, 1 + row * 3 + column], torch.tensor(expected))


def test_the_class_token_has_position_zero():
    assert not sincos_positions(16, (4, 4))[0, 0].any()
