"""The pixel decoder of MAE."""

from torch import Tensor, nn

from rmae.models.sequence_decoder import SequenceDecoder


class PixelDecoder(nn.Module):
    """Predicts the pixels of patches from the encoder's tokens.

    Args:
        sequence: What fills in the hidden places, of width d.
        embed_dim: d.
        patch_values: Values of a patch, P*P*M.
        query_dim: C, width of the region queries that join the sequence; None where regions do not feed pixels.
    """

    def __init__(
        self, *, sequence: SequenceDecoder, embed_dim: int, patch_values: int, query_dim: int | None = None
    ) -> None:
        super().__init__()
        self.sequence = sequence
        self.query_proj = None if query_dim is None else nn.Linear(query_dim, embed_dim)
        self.prediction = nn.Linear(embed_dim, patch_values)

    def forward(
        self, encoded: Tensor, ids_shuffle: Tensor, ids_predict: Tensor, queries: Tensor | None = None
    ) -> Tensor:
        """Predict patches.

        Args:
            encoded: Class token and visible patches, shape (B, 1 + K, D).
            ids_shuffle: Shape (B, L) int64, the first K visible.
            ids_predict: Patches to predict, shape (B, N) int64.
            queries: One token a region, shape (B, R, C); only used where regions feed pixels, None = none.

        Returns:
            Shape (B, N, P*P*M), channel fastest.
        """
        guests = None if self.query_proj is None or queries is None else self.query_proj(queries)  # (B, R, d)
        return self.prediction(self.sequence(encoded, ids_shuffle, ids_predict, guests))
