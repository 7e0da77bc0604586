"""The region encoder: a small transformer on the visible patches of region maps."""

from torch import Tensor, nn
from torch.nn import functional

from rmae.models.blocks import build_blocks, run_blocks, run_blocks_to_mean
from rmae.ops.patches import gather_patches, patchify
from rmae.ops.positions import sincos_positions


class RegionEncoder(nn.Module):
    """Encodes maps from their visible patches, each by itself; a map has one region, or several as its channels.

    Args:
        patch_size: P in pixels.
        channels: Regions of a map: 1, or R in the `channel` variant.
        embed_dim: C.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of an MLP over C.
        grid: Rows and columns of patches.
        pools: Whether to average the tokens of a map, as the `length` variant has it.
    """

    pos_embed: Tensor

    def __init__(
        self,
        *,
        patch_size: int,
        channels: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        grid: tuple[int, int],
        pools: bool,
    ) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.pools = pools
        self.patch_size = patch_size
        self.channels = channels
        self.patch_embed = nn.Conv2d(channels, embed_dim, kernel_size=patch_size, stride=patch_size)
        self.register_buffer("pos_embed", sincos_positions(embed_dim, grid)[:, 1:], persistent=False)
        self.blocks = build_blocks(depth=depth, embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio)

    def forward(self, regions: Tensor, ids_keep: Tensor) -> Tensor:
        """Encode region maps.

        Args:
            regions: Shape (B, R, H, W) bool; R is a multiple of the regions of a map.
            ids_keep: Visible patches, the same for all regions of an image, shape (B, K) int64.

        Returns:
            Tokens of G maps, R or, where a map has R channels, 1: shape (B, G, C) if pooled, or else (B, G, K, C).
        """
        batch_size = len(regions)
        maps = regions.unflatten(1, (-1, self.channels))  # (B, G, R/G, H, W)
        patches = patchify(maps, self.patch_size)  # (B, G, L, P*P*R/G) bool
        visible = gather_patches(patches, ids_keep).to(self.patch_embed.weight.dtype) - 0.5  # (B, G, K, P*P*R/G)
        # The convolution as a product: its kernels do not overlap, and only visible patches reach it.
        weight = self.patch_embed.weight.permute(0, 2, 3, 1).flatten(1)  # (C, P*P*R/G)
        tokens = functional.linear(visible, weight, self.patch_embed.bias)  # (B, G, K, C)
        positions = gather_patches(self.pos_embed.expand(batch_size, -1, -1), ids_keep)  # (B, K, C)
        tokens = (tokens + positions.unsqueeze(1)).flatten(0, 1)  # (B*G, K, C)
        recompute = self.grad_checkpointing
        if self.pools:
            encoded = run_blocks_to_mean(self.blocks, tokens, recompute=recompute)
        else:
            encoded = run_blocks(self.blocks, tokens, None, recompute=recompute)
        return encoded.unflatten(0, (batch_size, -1))
