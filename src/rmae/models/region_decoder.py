"""The region decoder, `length` variant: one query a region, so that the sequence grows by one token a region."""

from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from torch import Tensor, nn
from torch.nn import functional

from rmae.models.blocks import CrossBlock, layer_norm
from rmae.ops.patches import gather_patches


class ExpandingBlock(nn.Module):
    """Turns one query a region into one token for each region and place.

    Args:
        embed_dim: C.
        num_heads: Heads of the self-attention among the queries.
    """

    def __init__(self, *, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = layer_norm(embed_dim)
        self.attn = Attention(embed_dim, num_heads, qkv_bias=True)
        self.context_proj = nn.Linear(embed_dim, embed_dim)
        self.norm2 = layer_norm(embed_dim)
        self.mlp = Mlp(embed_dim, embed_dim)

    def forward(self, queries: Tensor, places: Tensor) -> Tensor:
        """Combine queries (B, R, C) with the context of places (B, N, C); returns (B, R, N, C)."""
        queries = queries + self.attn(self.norm1(queries))
        expanded = queries.unsqueeze(2) + self.context_proj(places).unsqueeze(1)  # (B, R, N, C)
        return self.mlp(self.norm2(expanded))


class RegionDecoder(nn.Module):
    """Completes region maps from pooled region tokens and the pixel context.

    Equivariant: permuting the regions permutes the predictions, since regions meet only in self-attention.

    Args:
        embed_dim: C.
        depth: Number of blocks, the expanding one included.
        num_heads: Attention heads.
        mlp_ratio: Hidden width over C of the MLP of all blocks but the expanding one.
        patch_size: P in pixels.

    Source:
        R-MAE (arXiv 2306.05411), section 3.2 and figure 3.
    """

    def __init__(self, *, embed_dim: int, depth: int, num_heads: int, mlp_ratio: float, patch_size: int) -> None:
        super().__init__()
        self.query_norm = layer_norm(embed_dim)
        self.query_proj = nn.Linear(embed_dim, embed_dim)
        self.blocks = nn.ModuleList(
            CrossBlock(embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio) for _ in range(depth - 1)
        )
        self.expansion = ExpandingBlock(embed_dim=embed_dim, num_heads=num_heads)
        self.prediction = nn.Linear(embed_dim, patch_size**2)

    def forward(self, region_tokens: Tensor, context: Tensor, ids_predict: Tensor) -> Tensor:
        """Predict patches of every region map.

        Args:
            region_tokens: Visible tokens of each region, shape (B, R, K, C).
            context: The neck's output, class token first, shape (B, 1 + L, C).
            ids_predict: Patches to predict, shape (B, N) int64.

        Returns:
            One logit a pixel, shape (B, R, N, P*P).
        """
        queries = self.query_proj(self.query_norm(region_tokens.mean(dim=2)))  # (B, R, C)
        for block in self.blocks:
            queries = block(queries, context)
        places = gather_patches(context[:, 1:], ids_predict)  # (B, N, C)
        return self.prediction(functional.gelu(self.expansion(queries, places)))
