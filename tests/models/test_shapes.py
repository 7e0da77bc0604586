"""Reading an architecture off names and shapes."""

import pytest
import torch

from rmae.models.interchange.shapes import count_blocks, mlp_ratio_of, side_or_sides, square_side


def test_the_ratio_gives_the_hidden_width_back_however_it_is_rounded():
    width = 196
    hidden_widths = range(1, 5 * width)
    assert any(int(width * (hidden / width)) != hidden for hidden in hidden_widths)  # or else this would prove nothing
    assert [int(width * mlp_ratio_of(hidden, width)) for hidden in hidden_widths] == list(hidden_widths)


def test_blocks_are_counted_by_their_numbers():
    weights = {name: torch.zeros(0) for name in ("a.0.x", "a.0.y", "a.11.x", "b.2.x", "ab.3.x", "a.x.4.y")}
    assert count_blocks(weights, "a") == 2


def test_grids_are_square_or_refused():
    assert square_side(196) == 14
    with pytest.raises(ValueError, match=r"the weights have 195 positions.*; give their size through rmae.from_ref"):
        square_side(195)


@pytest.mark.parametrize(("size", "expected"), [([4, 4], 4), ([4, 8], [4, 8]), (4, 4), ("x", "x"), ([1], [1])])
def test_square_sizes_are_one_side(size, expected):
    assert side_or_sides(size) == expected
