"""Transformer blocks and the layers inside them."""

from functools import partial

from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

layer_norm = partial(nn.LayerNorm, eps=1e-6)
"""The method's layer norm: `layer_norm(dim)`."""


def build_blocks(*, depth: int, embed_dim: int, num_heads: int, mlp_ratio: float) -> nn.Sequential:
    """A stack of pre-norm self-attention blocks, as in the Vision Transformer."""
    return nn.Sequential(
        *(
            Block(embed_dim, num_heads, mlp_ratio=mlp_ratio, qkv_bias=True, norm_layer=layer_norm)  # pyright: ignore[reportArgumentType]
            for _ in range(depth)
        )
    )


class CrossAttention(nn.Module):
    """Multi-head attention from queries to a context.

    Args:
        embed_dim: C, of queries and context alike.
        num_heads: Attention heads.
    """

    def __init__(self, *, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(embed_dim, embed_dim)
        self.kv = nn.Linear(embed_dim, 2 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """Attend from queries (B, R, C) to a context (B, T, C); returns (B, R, C)."""
        q = self.q(queries).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, heads, R, C/heads)
        kv = self.kv(context).unflatten(-1, (2, self.num_heads, -1))  # (B, T, 2, heads, C/heads)
        k, v = kv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, T, C/heads) each
        attended = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(attended.transpose(1, 2).flatten(2))


class CrossBlock(nn.Module):
    """A pre-norm block of self-attention, cross-attention to a context, and an MLP.

    Args:
        embed_dim: C.
        num_heads: Heads of both attentions.
        mlp_ratio: Hidden width of the MLP over C.
    """

    def __init__(self, *, embed_dim: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = layer_norm(embed_dim)
        self.attn = Attention(embed_dim, num_heads, qkv_bias=True)
        self.norm2 = layer_norm(embed_dim)
        self.cross_attn = CrossAttention(embed_dim=embed_dim, num_heads=num_heads)
        self.norm3 = layer_norm(embed_dim)
        self.mlp = Mlp(embed_dim, int(embed_dim * mlp_ratio))

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """Update queries (B, R, C) from each other and from a context (B, T, C), which is taken as it stands."""
        queries = queries + self.attn(self.norm1(queries))
        queries = queries + self.cross_attn(self.norm2(queries), context)
        return queries + self.mlp(self.norm3(queries))
