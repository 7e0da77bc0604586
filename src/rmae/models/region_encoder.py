"""The region encoder: a small transformer on the visible patches of every region map."""

from torch import Tensor, nn
from torch.nn import functional

from rmae.models.blocks import build_blocks
from rmae.ops.patches import gather_patches, patchify
from rmae.ops.positions import sincos_positions


class RegionEncoder(nn.Module):
    """Encodes each region map by itself, from its visible patches.

    Args:
        patch_size: P in pixels.
        embed_dim: C.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of an MLP over C.
        grid: Rows and columns of patches.
    """

    pos_embed: Tensor

    def __init__(
        self, *, patch_size: int, embed_dim: int, depth: int, num_heads: int, mlp_ratio: float, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.patch_embed = nn.Conv2d(1, embed_dim, kernel_size=patch_size, stride=patch_size)
        self.register_buffer("pos_embed", sincos_positions(embed_dim, grid)[:, 1:], persistent=False)
        self.blocks = build_blocks(depth=depth, embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio)

    def forward(self, regions: Tensor, ids_keep: Tensor) -> Tensor:
        """Encode region maps.

        Args:
            regions: Shape (B, R, H, W) bool.
            ids_keep: Visible patches, the same for all regions of an image, shape (B, K) int64.

        Returns:
            Shape (B, R, K, C).
        """
        batch_size, num_regions = regions.shape[:2]
        patches = patchify(regions.unsqueeze(2), self.patch_size)  # (B, R, L, P*P) bool
        visible = gather_patches(patches, ids_keep).to(self.patch_embed.weight.dtype) - 0.5  # (B, R, K, P*P)
        # The convolution as a product: its kernels do not overlap, and only visible patches reach it.
        tokens = functional.linear(visible, self.patch_embed.weight.flatten(1), self.patch_embed.bias)  # (B, R, K, C)
        positions = gather_patches(self.pos_embed.expand(batch_size, -1, -1), ids_keep)  # (B, K, C)
        tokens = tokens + positions.unsqueeze(1)
        return self.blocks(tokens.flatten(0, 1)).unflatten(0, (batch_size, num_regions))
