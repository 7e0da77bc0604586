"""The region branch: region encoder, neck and region decoder."""

import torch
from torch import Tensor, nn

from rmae.models.length_decoder import LengthDecoder
from rmae.models.map_decoder import BatchDecoder, ChannelDecoder
from rmae.models.region_encoder import RegionEncoder
from rmae.models.region_prediction import RegionPrediction
from rmae.models.sequence_decoder import BlindSequenceDecoder, SequenceDecoder
from rmae.ops.patches import gather_patches


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

    def contexts(self, encoded: Tensor, ids_shuffle: Tensor, num_visible: int) -> Tensor:
        """What the neck makes of one picture that it is shown in several ways: all that is needed of it for any region.

        Args:
            encoded: The pixel encoder's tokens of all patches in raster order, shape (1, 1 + L, D).
            ids_shuffle: A permutation for each way, shape (V, L) int64; the neck is shown its first patches.
            num_visible: How many of them.

        Returns:
            Class token and all places, shape (V, 1 + L, C).
        """
        ids = torch.cat([torch.zeros_like(ids_shuffle[:, :1]), ids_shuffle[:, :num_visible] + 1], dim=1)  # (V, 1 + K)
        return self.neck(gather_patches(encoded.expand(len(ids), -1, -1), ids), ids_shuffle)

    def complete(self, regions: Tensor, contexts: Tensor, ids_shuffle: Tensor, num_visible: int) -> Tensor:
        """Predict all patches of the region maps of one picture from contexts that are known already.

        Args:
            regions: Shape (1, R, H, W) bool; only visible patches are looked at.
            contexts: Of `contexts`, shape (V, 1 + L, C).
            ids_shuffle: The region maps' permutation, shape (1, L) int64, the visible patches first.
            num_visible: How many are visible, at least 1.

        Returns:
            One logit a pixel for each context, shape (V, R, L, P*P), patches in raster order.
        """
        tokens = self.encoder(regions, ids_shuffle[:, :num_visible])
        num_contexts, num_places = len(contexts), contexts.shape[1] - 1
        places = contexts if self.decoder.attends_to_context else contexts[:, 1:]
        in_order = torch.arange(num_places, device=contexts.device).expand(num_contexts, -1)
        tokens = tokens.expand(num_contexts, *tokens.shape[1:])
        return self.decoder(tokens, places, ids_shuffle.expand(num_contexts, -1), in_order).logits
