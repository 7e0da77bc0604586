"""Binary maps as bits, eight pixels to a byte: what travels from the loader to the device."""

import numpy as np
import torch
from torch import Tensor


def pack_bits(maps: np.ndarray) -> np.ndarray:
    """Pack binary maps row by row, the leftmost pixel in a byte's highest bit.

    Args:
        maps: Shape (..., W) bool.

    Returns:
        Shape (..., ceil(W / 8)) uint8; unused low bits of a row's last byte are 0.
    """
    return np.packbits(maps, axis=-1)


def unpack_bits(packed: Tensor, width: int) -> Tensor:
    """Unpack binary maps on whatever device they are: the inverse of `pack_bits`.

    Args:
        packed: Shape (..., ceil(width / 8)) uint8.
        width: W, pixels in a row.

    Returns:
        Shape (..., W) bool.
    """
    # Made on the device: a tensor from a list would be copied there, and the host would wait for the copy.
    places = (1 << torch.arange(7, -1, -1, device=packed.device)).to(torch.uint8)  # 128, 64, ..., 1
    bits = (packed.unsqueeze(-1) & places).ne(0)  # (..., ceil(W / 8), 8)
    return bits.flatten(-2)[..., :width]
