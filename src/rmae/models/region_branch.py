"""The region branch: region encoder, neck and region decoder."""

import torch
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

    def whole_context(self, encoded: Tensor) -> Tensor:
        """What the neck makes of a picture of which nothing is hidden: all that is needed of it for any region.

        Args:
            encoded: The pixel encoder's tokens of all patches, shape (B, 1 + L, D).

        Returns:
            Class token and all places, shape (B, 1 + L, C).
        """
        return self.neck(encoded, _in_order(encoded))

    def complete(self, regions: Tensor, context: Tensor, ids_shuffle: Tensor, num_visible: int) -> Tensor:
        """Predict all patches of every region map from a context that is known already.

        Args:
            regions: Shape (B, R, H, W) bool; only visible patches are looked at.
            context: Of `whole_context`, shape (B, 1 + L, C).
            ids_shuffle: The region maps' permutation, shape (B, L) int64, the visible patches first.
            num_visible: How many are visible, at least 1.

        Returns:
            One logit a pixel, shape (B, R, L, P*P), patches in raster order.
        """
        tokens = self.encoder(regions, ids_shuffle[:, :num_visible])
        places = context if self.decoder.attends_to_context else context[:, 1:]
        return self.decoder(tokens, places, ids_shuffle, _in_order(context)).logits


def _in_order(tokens: Tensor) -> Tensor:
    """All patches in raster order, (B, L), of tokens (B, 1 + L, D)."""
    return torch.arange(tokens.shape[1] - 1, device=tokens.device).expand(len(tokens), -1)
