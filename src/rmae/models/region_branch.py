"""The region branch: region encoder, neck and region decoder."""

from torch import Tensor, nn

from rmae.models.length_decoder import LengthDecoder
from rmae.models.map_decoder import BatchDecoder, ChannelDecoder
from rmae.models.region_encoder import RegionEncoder
from rmae.models.region_prediction import RegionPrediction
from rmae.models.sequence_decoder import BlindSequenceDecoder, SequenceDecoder


class RegionBranch(nn.Module):
    """Masked region autoencoding beside a pixel encoder.

    Args:
        encoder: Encodes the visible patches of each region.
        neck: Turns the pixel encoder's tokens into the context of all places.
        decoder: Completes the region maps; its class is the variant.
    """

    def __init__(
        self,
        *,
        encoder: RegionEncoder,
        neck: SequenceDecoder | BlindSequenceDecoder,
        decoder: LengthDecoder | BatchDecoder | ChannelDecoder,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.neck = neck
        self.decoder = decoder

    def forward(
        self,
        encoded: Tensor,
        regions: Tensor,
        ids_shuffle: Tensor,
        region_ids_shuffle: Tensor,
        num_visible: int,
        ids_predict: Tensor,
    ) -> RegionPrediction:
        """Predict patches of every region map.

        Args:
            encoded: The pixel encoder's tokens, shape (B, 1 + K, D).
            regions: Shape (B, R, H, W) bool.
            ids_shuffle: The pixels' permutation, shape (B, L) int64, the first K visible.
            region_ids_shuffle: The region maps' permutation, shape (B, L) int64.
            num_visible: K', how many of its first patches are visible.
            ids_predict: Patches to predict, shape (B, N') int64.

        Returns:
            One logit a pixel, shape (B, R, N', P*P), and the queries of variants that have them.
        """
        context = self.neck(encoded, ids_shuffle, None if self.decoder.attends_to_context else ids_predict)
        tokens = self.encoder(regions, region_ids_shuffle[:, :num_visible])
        return self.decoder(tokens, context, region_ids_shuffle, ids_predict)
