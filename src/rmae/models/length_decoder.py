"""The region decoder of the `length` variant: one query a region, so that the sequence grows by one token a region."""

from timm.layers.attention import Attention
from torch import Tensor, nn
from torch.nn import functional

from rmae.models.blocks import CrossBlock, LeanMlp, layer_norm
from rmae.models.recomputation import run
from rmae.models.region_prediction import RegionPrediction
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
        self.mlp = LeanMlp(embed_dim, embed_dim)

    def forward(self, queries: Tensor, places: Tensor) -> Tensor:
        """Combine queries (B, R, C) with the context of places (B, N, C); returns (B, R, N, C)."""
        queries = queries + self.attn(self.norm1(queries))
        expanded = queries.unsqueeze(2) + self.context_proj(places).unsqueeze(1)  # (B, R, N, C)
        return self.mlp(self.norm2(expanded))


class LengthDecoder(nn.Module):
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
        self.grad_checkpointing = False
        self.query_norm = layer_norm(embed_dim)
        self.query_proj = nn.Linear(embed_dim, embed_dim)
        self.blocks = nn.ModuleList(
            CrossBlock(embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio) for _ in range(depth - 1)
        )
        self.expansion = ExpandingBlock(embed_dim=embed_dim, num_heads=num_heads)
        self.prediction = nn.Linear(embed_dim, patch_size**2)

    @property
    def attends_to_context(self) -> bool:
        """Whether the whole context is used, and not only that of the places to predict."""
        return len(self.blocks) > 0

    def forward(self, tokens: Tensor, context: Tensor, ids_shuffle: Tensor, ids_predict: Tensor) -> RegionPrediction:
        """Predict patches of every region map.

        Args:
            tokens: Mean of each region's visible tokens, shape (B, R, C).
            context: The neck's output: where the decoder attends to it, class token and all places, shape
                (B, 1 + L, C); else the places to predict, shape (B, N, C).
            ids_shuffle: The region maps' permutation, shape (B, L) int64; not used, since pooled tokens have no place.
            ids_predict: Patches to predict, shape (B, N) int64.

        Returns:
            Logits and queries.
        """
        pooled = self.query_proj(self.query_norm(tokens))  # (B, R, C)
        queries, places = pooled, context
        if self.attends_to_context:
            for block in self.blocks:
                queries = run(block, queries, context, recompute=self.grad_checkpointing)
            places = gather_patches(context, ids_predict + 1)  # (B, N, C)
        return RegionPrediction(run(self._predict, queries, places, recompute=self.grad_checkpointing), pooled)

    def _predict(self, queries: Tensor, places: Tensor) -> Tensor:
        return self.prediction(functional.gelu(self.expansion(queries, places)))
