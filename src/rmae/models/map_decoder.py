"""The region decoders of the `batch` and `channel` variants: a token for every place of every map."""

import torch
from torch import Tensor, nn

from rmae.models.blocks import CrossBlock, layer_norm
from rmae.models.recomputation import run
from rmae.models.region_prediction import RegionPrediction
from rmae.ops.masking import insert_mask_tokens
from rmae.ops.positions import sincos_positions


class MapDecoder(nn.Module):
    """Fills in the hidden places of maps, each map a sequence of its own that attends to the pixel context.

    Args:
        embed_dim: C.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of an MLP over C.
        grid: Rows and columns of patches.
    """

    pos_embed: Tensor

    def __init__(self, *, embed_dim: int, depth: int, num_heads: int, mlp_ratio: float, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.register_buffer("pos_embed", sincos_positions(embed_dim, grid)[:, 1:], persistent=False)
        self.blocks = nn.ModuleList(
            CrossBlock(embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio) for _ in range(depth)
        )
        self.norm = layer_norm(embed_dim)

    def forward(self, tokens: Tensor, context: Tensor, ids_shuffle: Tensor, ids_predict: Tensor) -> Tensor:
        """Decode maps at the places to predict.

        Args:
            tokens: Visible tokens of each of G maps, shape (B, G, K, C).
            context: The neck's output, class token first, shape (B, 1 + L, C).
            ids_shuffle: The maps' permutation, shape (B, L) int64, the first K visible.
            ids_predict: Patches to predict, shape (B, N) int64.

        Returns:
            Shape (B, G, N, C).
        """
        batch_size, num_maps = tokens.shape[:2]
        places = insert_mask_tokens(tokens, self.mask_token, ids_shuffle) + self.pos_embed  # (B, G, L, C)
        sequences = places.flatten(0, 1)  # (B*G, L, C)
        *earlier, last = self.blocks
        for block in earlier:
            sequences = run(block, sequences, context, recompute=self.grad_checkpointing)
        ids = ids_predict.unsqueeze(1).expand(-1, num_maps, -1).flatten(0, 1)  # (B*G, N)
        sequences = run(last, sequences, context, ids, recompute=self.grad_checkpointing)
        return self.norm(sequences).unflatten(0, (batch_size, num_maps))


class BatchDecoder(nn.Module):
    """Completes each region map as a sample of its own.

    Equivariant, since regions never meet; its cost is linear in R.

    Args:
        maps: Decodes the places, of width C.
        embed_dim: C.
        patch_size: P in pixels.

    Source:
        R-MAE (arXiv 2306.05411), for the variant; the norm before the prediction is our choice, as in MAE's decoder.
    """

    attends_to_context = True

    def __init__(self, *, maps: MapDecoder, embed_dim: int, patch_size: int) -> None:
        super().__init__()
        self.maps = maps
        self.prediction = nn.Linear(embed_dim, patch_size**2)

    def forward(self, tokens: Tensor, context: Tensor, ids_shuffle: Tensor, ids_predict: Tensor) -> RegionPrediction:
        """Predict patches of every region map; as `LengthDecoder.forward`, with the whole context."""
        decoded = self.maps(tokens, context, ids_shuffle, ids_predict)  # (B, R, N, C)
        return RegionPrediction(self.prediction(decoded), None)


class ChannelDecoder(nn.Module):
    """Completes all region maps at once, as the channels of one image.

    The cheapest for many regions, and *not* equivariant: which channel a region stands in matters.

    Args:
        maps: Decodes the places, of width C.
        embed_dim: C.
        patch_size: P in pixels.
        num_regions: R; the model takes no other number.

    Source:
        R-MAE (arXiv 2306.05411), for the variant; the norm before the prediction is our choice, as in MAE's decoder.
    """

    attends_to_context = True

    def __init__(self, *, maps: MapDecoder, embed_dim: int, patch_size: int, num_regions: int) -> None:
        super().__init__()
        self.maps = maps
        self.num_regions = num_regions
        self.prediction = nn.Linear(embed_dim, num_regions * patch_size**2)

    def forward(self, tokens: Tensor, context: Tensor, ids_shuffle: Tensor, ids_predict: Tensor) -> RegionPrediction:
        """Predict patches of every region map; as `LengthDecoder.forward`, with the whole context.

        The tokens are those of one map of R channels, shape (B, 1, K, C).
        """
        decoded = self.maps(tokens, context, ids_shuffle, ids_predict).squeeze(1)  # (B, N, C)
        logits = self.prediction(decoded).unflatten(-1, (-1, self.num_regions))  # (B, N, P*P, R)
        return RegionPrediction(logits.movedim(-1, 1), None)
