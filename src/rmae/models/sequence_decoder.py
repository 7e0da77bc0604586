"""From visible tokens to all tokens: the pixel decoder's trunk, and the neck between pixels and regions."""

import torch
from torch import Tensor, nn

from rmae.models.blocks import build_blocks, layer_norm, run_blocks
from rmae.ops.masking import insert_mask_tokens
from rmae.ops.patches import gather_patches
from rmae.ops.positions import sincos_positions


class SequenceDecoder(nn.Module):
    """Fills in the hidden places with a mask token and lets all places attend to each other.

    Args:
        in_dim: D, width of the encoder's tokens.
        embed_dim: Width in here, C.
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
        self.grad_checkpointing = False
        self.embed = nn.Linear(in_dim, embed_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.register_buffer("pos_embed", sincos_positions(embed_dim, grid), persistent=False)
        self.blocks = build_blocks(depth=depth, embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio)
        self.norm = layer_norm(embed_dim)

    def forward(
        self, encoded: Tensor, ids_shuffle: Tensor, ids: Tensor | None = None, guests: Tensor | None = None
    ) -> Tensor:
        """Decode the encoder's tokens to one token a place.

        Args:
            encoded: Class token and visible patches, shape (B, 1 + K, D).
            ids_shuffle: Shape (B, L) int64, the first K visible.
            ids: Patches to decode, shape (B, N) int64; None = the class token and all of them.
            guests: Tokens of no place that the others may attend to, shape (B, R, C); None = none.

        Returns:
            After the final norm, shape (B, N, C) in the order of the ids, or class token and all patches in raster
            order, shape (B, 1 + L, C).
        """
        cls_token, visible = self.embed(encoded).split([1, encoded.shape[1] - 1], dim=1)
        tokens = torch.cat([cls_token, insert_mask_tokens(visible, self.mask_token, ids_shuffle)], dim=1)
        tokens = tokens + self.pos_embed
        if guests is not None:
            tokens = torch.cat([tokens, guests], dim=1)  # (B, 1 + L + R, C)
        places = None if ids is None else ids + 1
        decoded = self.norm(run_blocks(self.blocks, tokens, places, recompute=self.grad_checkpointing))
        return decoded if ids is not None else decoded[:, : self.pos_embed.shape[1]]


class BlindSequenceDecoder(nn.Module):
    """What a `SequenceDecoder` is when it is shown nothing: its mask token at every place, plus positions.

    Serves as neck where pixels do not feed the regions.

    Args:
        embed_dim: Width, C.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of an MLP over `embed_dim`.
        grid: Rows and columns of patches.
    """

    pos_embed: Tensor

    def __init__(self, *, embed_dim: int, depth: int, num_heads: int, mlp_ratio: float, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.register_buffer("pos_embed", sincos_positions(embed_dim, grid), persistent=False)
        self.blocks = build_blocks(depth=depth, embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio)
        self.norm = layer_norm(embed_dim)

    def forward(self, encoded: Tensor, ids_shuffle: Tensor, ids: Tensor | None = None) -> Tensor:
        """As `SequenceDecoder`, but of the encoder's tokens only their number of images matters."""
        tokens = self.mask_token + self.pos_embed  # (1, 1 + L, C), once for the whole batch
        decoded = self.norm(run_blocks(self.blocks, tokens, None, recompute=self.grad_checkpointing))
        decoded = decoded.expand(len(encoded), -1, -1)
        return decoded if ids is None else gather_patches(decoded, ids + 1)
