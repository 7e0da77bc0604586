"""From visible tokens to all tokens: the pixel decoder's trunk, and the neck between pixels and regions."""

import torch
from torch import Tensor, nn

from rmae.models.blocks import build_blocks, layer_norm
from rmae.ops.masking import insert_mask_tokens
from rmae.ops.positions import sincos_positions


class SequenceDecoder(nn.Module):
    """Fills in the hidden places with a mask token and lets all places attend to each other.

    Args:
        in_dim: D, width of the encoder's tokens.
        embed_dim: Width in here.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of an MLP over `embed_dim`.
        grid: Rows and columns of patches.
    """

    pos_embed: Tensor

    def __init__(
        self, *, in_dim: int, embed_dim: int, depth: int, num_heads: int, mlp_ratio: float, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(in_dim, embed_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.register_buffer("pos_embed", sincos_positions(embed_dim, grid), persistent=False)
        self.blocks = build_blocks(depth=depth, embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio)
        self.norm = layer_norm(embed_dim)

    def forward(self, encoded: Tensor, ids_shuffle: Tensor) -> Tensor:
        """Decode the encoder's tokens to one token a place.

        Args:
            encoded: Class token and visible patches, shape (B, 1 + K, D).
            ids_shuffle: Shape (B, L) int64, the first K visible.

        Returns:
            Class token and all patches in raster order, shape (B, 1 + L, C), after the final norm.
        """
        cls_token, visible = self.embed(encoded).split([1, encoded.shape[1] - 1], dim=1)
        tokens = torch.cat([cls_token, insert_mask_tokens(visible, self.mask_token, ids_shuffle)], dim=1)
        return self.norm(self.blocks(tokens + self.pos_embed))
