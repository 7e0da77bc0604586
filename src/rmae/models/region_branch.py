"""The region branch: region encoder, neck and region decoder."""

from torch import Tensor, nn

from rmae.models.region_decoder import RegionDecoder
from rmae.models.region_encoder import RegionEncoder
from rmae.models.sequence_decoder import SequenceDecoder


class RegionBranch(nn.Module):
    """Masked region autoencoding beside a pixel encoder.

    Args:
        encoder: Encodes the visible patches of each region.
        neck: Turns the pixel encoder's tokens into the context of all places.
        decoder: Completes the region maps.
    """

    def __init__(self, *, encoder: RegionEncoder, neck: SequenceDecoder, decoder: RegionDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.neck = neck
        self.decoder = decoder

    def forward(
        self, encoded: Tensor, regions: Tensor, ids_shuffle: Tensor, region_ids_keep: Tensor, ids_predict: Tensor
    ) -> Tensor:
        """Predict patches of every region map.

        Args:
            encoded: The pixel encoder's tokens, shape (B, 1 + K, D).
            regions: Shape (B, R, H, W) bool.
            ids_shuffle: The pixels' permutation, shape (B, L) int64, the first K visible.
            region_ids_keep: Visible patches of the region maps, shape (B, K') int64.
            ids_predict: Patches to predict, shape (B, N') int64.

        Returns:
            One logit a pixel, shape (B, R, N', P*P).
        """
        context = self.neck(encoded, ids_shuffle)
        return self.decoder(self.encoder(regions, region_ids_keep), context, ids_predict)
