"""Reading an architecture off the names and shapes of weights."""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rmae.quoting import quoted


def shape_of(state_dict: Mapping[str, Tensor], name: str, *, num_dims: int = 2) -> torch.Size:
    """Shape of a tensor.

    Raises:
        ValueError: It is missing, empty, or has not so many dimensions.
    """
    if name not in state_dict:
        raise ValueError(f"the weights lack {name!r}")
    shape = state_dict[name].shape
    if len(shape) != num_dims or 0 in shape:
        raise ValueError(f"the weights' {name!r} has shape {quoted(tuple(shape))}; it must have {num_dims} dimensions")
    return shape


def count_blocks(state_dict: Mapping[str, Tensor], prefix: str) -> int:
    """Number of blocks called `prefix.0.…`, `prefix.1.…` and so on."""
    return len({match[1] for name in state_dict if (match := re.match(rf"{re.escape(prefix)}\.(\d+)\.", name))})


def mlp_ratio_of(hidden: int, width: int) -> float:
    """The ratio that makes an MLP's hidden width of a block's width as `int(width * ratio)`, however it is rounded."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else math.nextafter(ratio, math.inf)


def side_or_sides(img_size: Any) -> Any:
    """One side where height and width, a list, are the same; anything else as it is."""
    is_square = isinstance(img_size, list) and len(img_size) == 2 and img_size[0] == img_size[1]
    return img_size[0] if is_square else img_size


def square_side(num_patches: int) -> int:
    """Rows of a square grid.

    Raises:
        ValueError: So many patches make no square.
    """
    side = math.isqrt(num_patches)
    if side * side != num_patches:
        raise ValueError(
            f"the weights have {num_patches} positions, so they are for images that are not square; give their size "
            "through rmae.from_reference"
        )
    return side
