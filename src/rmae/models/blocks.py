"""Transformer blocks and the layers inside them. All attention is fused; no attention map is ever made."""

from functools import partial

import torch
from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from rmae.models.recomputation import run
from rmae.ops.patches import gather_patches

NORM_EPS = 1e-6
"""What the method's layer norms add to the variance."""
layer_norm = partial(nn.LayerNorm, eps=NORM_EPS)
"""The method's layer norm: `layer_norm(dim)`."""


class LeanMlp(Mlp):
    """timm's MLP, which in training holds its hidden units once: their activation is computed again for the gradient.

    That is half of the widest tensors of a block, for one function of each of their values. A compiler sees by itself
    what is cheap to compute again, and is left to it.
    """

    recompute_activation = True
    """Off where a whole block is computed again, which holds no hidden units anyway."""

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., C) to tokens (..., C)."""
        recompute = self.recompute_activation and self.training and not torch.compiler.is_compiling()
        return run(self._activate_and_project, self.fc1(x), recompute=recompute)

    def _activate_and_project(self, hidden: Tensor) -> Tensor:
        return self.fc2(self.act(hidden))


def build_blocks(*, depth: int, embed_dim: int, num_heads: int, mlp_ratio: float) -> nn.Sequential:
    """A stack of pre-norm self-attention blocks, as in the Vision Transformer."""
    return nn.Sequential(
        *(
            Block(
                embed_dim,
                num_heads,
                mlp_ratio=mlp_ratio,
                qkv_bias=True,
                norm_layer=layer_norm,  # pyright: ignore[reportArgumentType]  # timm types it as a class
                mlp_layer=LeanMlp,
            )
            for _ in range(depth)
        )
    )


def run_blocks(blocks: nn.Sequential, tokens: Tensor, ids: Tensor | None, *, recompute: bool = False) -> Tensor:
    """Run blocks of `build_blocks`, and finish only the tokens that are asked for.

    In the last block the others serve as keys and values alone.

    Args:
        blocks: At least one.
        tokens: Shape (B, T, C).
        ids: Tokens to finish, shape (B, N) int64; None = all.
        recompute: Hold only what goes into each block, and compute the rest again in the backward pass.

    Returns:
        Shape (B, N, C) in the order of the ids, or (B, T, C).
    """
    *earlier, last = blocks
    for block in earlier:
        tokens = run(block, tokens, recompute=recompute)
    if ids is None:
        return run(last, tokens, recompute=recompute)
    return run(partial(_run_for_some, last), tokens, ids, recompute=recompute)


def _run_for_some(block: nn.Module, tokens: Tensor, ids: Tensor) -> Tensor:
    """A block for the tokens `ids` (B, N) alone, of tokens (B, T, C); returns (B, N, C)."""
    assert isinstance(block, Block)
    assert isinstance(block.attn, Attention)
    picked = gather_patches(tokens, ids) + _attend_from(block.attn, block.norm1(tokens), ids)
    return picked + block.mlp(block.norm2(picked))


def run_blocks_to_mean(blocks: nn.Sequential, tokens: Tensor, *, recompute: bool = False) -> Tensor:
    """Run blocks of `build_blocks`, and average the tokens that come out.

    The last linear layer is applied to the average, which is the same, and its work does not grow with the tokens.

    Args:
        blocks: At least one.
        tokens: Shape (B, T, C).
        recompute: As in `run_blocks`.

    Returns:
        Shape (B, C).
    """
    *earlier, last = blocks
    for block in earlier:
        tokens = run(block, tokens, recompute=recompute)
    return run(partial(_run_to_mean, last), tokens, recompute=recompute)


def _run_to_mean(block: nn.Module, tokens: Tensor) -> Tensor:
    """The mean over T of what a block makes of tokens (B, T, C); returns (B, C)."""
    assert isinstance(block, Block)
    assert isinstance(block.mlp, Mlp)
    tokens = tokens + block.attn(block.norm1(tokens))
    hidden = block.mlp.act(block.mlp.fc1(block.norm2(tokens)))  # (B, T, mlp_ratio * C)
    return tokens.mean(dim=1) + block.mlp.fc2(hidden.mean(dim=1))


def _attend_from(attention: Attention, tokens: Tensor, ids: Tensor) -> Tensor:
    """The self-attention among tokens (B, T, C), for the tokens `ids` (B, N) alone; returns (B, N, C)."""
    sizes = [tokens.shape[-1], 2 * tokens.shape[-1]]
    q_weight, kv_weight = attention.qkv.weight.split(sizes)
    q_bias, kv_bias = attention.qkv.bias.split(sizes)
    q = functional.linear(gather_patches(tokens, ids), q_weight, q_bias)  # (B, N, C)
    k, v = functional.linear(tokens, kv_weight, kv_bias).chunk(2, dim=-1)  # (B, T, C) each
    return attention.proj(_attend(q, k, v, attention.num_heads))


def _attend(q: Tensor, k: Tensor, v: Tensor, num_heads: int) -> Tensor:
    """Multi-head attention from q (B, N, C) to k and v (B, T, C); returns (B, N, C)."""
    q, k, v = (x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, heads, ., C/heads)
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


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
        """Attend to a context.

        Args:
            queries: Shape (B*G, N, C); the G sequences of an image stand next to each other.
            context: Shape (B, T, C), one for each image; its keys and values are made once for all G.

        Returns:
            Shape (B*G, N, C).
        """
        q = self.q(queries).reshape(len(context), -1, queries.shape[-1])  # (B, G*N, C)
        k, v = self.kv(context).chunk(2, dim=-1)  # (B, T, C) each
        return self.proj(_attend(q, k, v, self.num_heads)).view_as(queries)


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
        self.mlp = LeanMlp(embed_dim, int(embed_dim * mlp_ratio))

    def forward(self, tokens: Tensor, context: Tensor, ids: Tensor | None = None) -> Tensor:
        """Update tokens from each other and from a context.

        Args:
            tokens: Shape (B*G, N, C).
            context: Shape (B, T, C), taken as it stands.
            ids: Tokens to finish, shape (B*G, N') int64; the others serve the self-attention alone. None = all.

        Returns:
            Shape (B*G, N', C) in the order of the ids, or (B*G, N, C).
        """
        normed = self.norm1(tokens)
        if ids is None:
            tokens = tokens + self.attn(normed)
        else:
            tokens = gather_patches(tokens, ids) + _attend_from(self.attn, normed, ids)
        tokens = tokens + self.cross_attn(self.norm2(tokens), context)
        return tokens + self.mlp(self.norm3(tokens))
