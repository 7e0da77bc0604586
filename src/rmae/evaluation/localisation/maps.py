"""What an encoder makes of pictures: attention from query patches, and how like them other patches are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from rmae.evaluation.encoder import Encoder, fit_encoder
from rmae.models.attention import attention_maps
from rmae.ops.normalisation import Normalise

_NUMBERS_AT_ONCE = 2**24
"""Numbers of attention that are held at once, 64 MiB: pictures with more queries go through the encoder again."""


class QueryMaps(NamedTuple):
    """Maps of n queries, on the device; L patches in raster order."""

    asked: np.ndarray
    """Which of the queries that were given these are, shape (n,) int64."""
    attention: Tensor
    """From the query patch to each patch, shape (n, layers, heads, L) float; as it is, so that the rest of 1 is what
    the class token and registers get."""
    similarity: Tensor
    """Cosine of each patch's features and the query patch's, after the final norm; shape (n, L) float."""


class MapMaker:
    """An encoder, on the device, that shows where it looks.

    Args:
        encoder: Changed in place: fitted to the pictures, frozen.
        image_hw: Height and width of the pictures in pixels.
        fabric: Device and arithmetic.
        dtype: Of the weights.

    Raises:
        ValueError: The pictures do not fit the encoder's patches.
    """

    def __init__(self, encoder: Encoder, *, image_hw: tuple[int, int], fabric: Fabric, dtype: torch.dtype) -> None:
        vit = fit_encoder(encoder.vit, image_hw=image_hw, drop_path=0.0)
        self._vit = vit.requires_grad_(False).eval().to(fabric.device, dtype)
        self._normalise = Normalise(encoder.pixel_mean, encoder.pixel_std, dtype=dtype).to(fabric.device)
        self._fabric = fabric
        self.name = encoder.name
        self.depth = len(vit.blocks)
        # Of encoders whose attention is of another kind `attention_maps` says so.
        self.num_heads: int = getattr(getattr(vit.blocks[0], "attn", None), "num_heads", 1)
        self.grid: tuple[int, int] = vit.patch_embed.grid_size

    def maps(self, pixels: np.ndarray, places: np.ndarray, patches: np.ndarray) -> Iterator[QueryMaps]:
        """Make the maps of queries on some pictures.

        Args:
            pixels: Shape (B, 3, h, w) uint8.
            places: On which of the pictures each query is, shape (n,) int64, ascending.
            patches: The query patches, shape (n,) int64.

        Yields:
            Each query once, several at a time, so that little memory is needed however many there are.

        Raises:
            ValueError: Something is not finite, or the encoder has attention of another kind.
        """
        images = self._normalise(torch.from_numpy(pixels).to(self._fabric.device))
        nth = np.arange(len(places)) - np.searchsorted(places, places)  # of its picture's queries
        at_once = self._queries_at_once(len(pixels))
        for first in range(0, int(nth.max(initial=-1)) + 1, at_once):
            asked = np.flatnonzero((nth >= first) & (nth < first + at_once))
            yield self._some(images, asked, places[asked], patches[asked], nth[asked] - first)

    def _some(
        self, images: Tensor, numbers: np.ndarray, places: np.ndarray, patches: np.ndarray, nth: np.ndarray
    ) -> QueryMaps:
        """Maps of the `nth` queries of pictures at `places`."""
        shown, rows = np.unique(places, return_inverse=True)
        asked = np.zeros((len(shown), nth.max() + 1), dtype=np.int64)  # a picture with fewer asks from patch 0 as well
        asked[rows, nth] = patches
        pictures, ids_query, *picked = (torch.from_numpy(each).to(images.device) for each in (shown, asked, rows, nth))
        attention, features = self._look(images[pictures], ids_query)  # (b, layers, heads, Q, T + L), (b, L, D)
        queries = features.gather(1, ids_query[..., None].expand(-1, -1, features.shape[-1]))  # (b, Q, D)
        similarity = (queries @ features.transpose(1, 2))[*picked]  # (n, L)
        attention = attention[picked[0], :, :, picked[1], self._vit.num_prefix_tokens :]  # (n, layers, heads, L)
        if not (attention.isfinite().all() and similarity.isfinite().all()):
            raise ValueError(
                f"the encoder {self.name} gives maps that are not finite; take --precision float32, or see whether its "
                "weights are whole"
            )
        return QueryMaps(numbers, attention, similarity)

    def _look(self, images: Tensor, ids_query: Tensor) -> tuple[Tensor, Tensor]:
        """Attention, and features of length 1, both from one pass through the encoder."""
        vit = self._vit
        with torch.inference_mode(), self._fabric.autocast(), _outputs(vit.norm) as tokens:
            attention = attention_maps(vit, images, layers=range(self.depth), ids_query=ids_query)
            features = vit.fc_norm(tokens[0][:, vit.num_prefix_tokens :])  # some have their final norm there
        return attention, functional.normalize(features.to(images.dtype), dim=-1)

    def _queries_at_once(self, num_pictures: int) -> int:
        tokens = self.grid[0] * self.grid[1] + self._vit.num_prefix_tokens
        return max(1, _NUMBERS_AT_ONCE // max(1, num_pictures * self.depth * self.num_heads * tokens))


@contextmanager
def _outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """What a module gives while this is entered, one entry a call."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output)

    hook = module.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        hook.remove()
