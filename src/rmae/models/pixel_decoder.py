"""The pixel decoder of MAE."""

from torch import Tensor, nn

from rmae.models.sequence_decoder import SequenceDecoder
from rmae.ops.patches import gather_patches


class PixelDecoder(nn.Module):
    """Predicts the pixels of patches from the encoder's tokens.

    Args:
        sequence: What fills in the hidden places, of width d.
        embed_dim: d.
        patch_values: Values of a patch, P*P*M.
    """

    def __init__(self, *, sequence: SequenceDecoder, embed_dim: int, patch_values: int) -> None:
        super().__init__()
        self.sequence = sequence
        self.prediction = nn.Linear(embed_dim, patch_values)

    def forward(self, encoded: Tensor, ids_shuffle: Tensor, ids_predict: Tensor) -> Tensor:
        """Predict patches.

        Args:
            encoded: Class token and visible patches, shape (B, 1 + K, D).
            ids_shuffle: Shape (B, L) int64, the first K visible.
            ids_predict: Patches to predict, shape (B, N) int64.

        Returns:
            Shape (B, N, P*P*M), channel fastest.
        """
        tokens = self.sequence(encoded, ids_shuffle)[:, 1:]
        return self.prediction(gather_patches(tokens, ids_predict))
