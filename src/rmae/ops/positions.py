"""Fixed two-dimensional sine-cosine positions."""

import torch
from torch import Tensor


def sincos_positions(embed_dim: int, grid: tuple[int, int]) -> Tensor:
    """Position table of a class token and a grid of patches, column first.

    For the patch in column x and row y the channels are [sin(x w), cos(x w), sin(y w), cos(y w)] with
    w_i = 10000^(-i / (D/4)), i = 0 .. D/4 - 1. The class token's position is zero.

    Args:
        embed_dim: Width D of a token, divisible by 4.
        grid: Rows and columns of patches; their product is L.

    Returns:
        Shape (1, 1 + L, D) float32, class token first, patches in raster order.

    Source:
        facebookresearch/mae, `util/pos_embed.py`, for the order of the channels (computed in float64 there as well).
    """
    assert embed_dim % 4 == 0
    rows, columns = grid
    quarter = embed_dim // 4
    frequencies = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)  # (D/4,)
    y, x = torch.meshgrid(
        torch.arange(rows, dtype=torch.float64), torch.arange(columns, dtype=torch.float64), indexing="ij"
    )
    x_angles = x.reshape(-1, 1) * frequencies  # (L, D/4)
    y_angles = y.reshape(-1, 1) * frequencies  # (L, D/4)
    patches = torch.cat([x_angles.sin(), x_angles.cos(), y_angles.sin(), y_angles.cos()], dim=1)  # (L, D)
    return torch.cat([torch.zeros(1, embed_dim), patches.float()]).unsqueeze(0)
