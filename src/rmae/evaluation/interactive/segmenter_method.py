"""Clicks on what our model sees."""

from collections.abc import Sequence

import numpy as np
import torch
from lightning_fabric import Fabric

from rmae.evaluation.interactive.method import Answer, Click
from rmae.interactive.prompts import Prompt
from rmae.interactive.segmenter import ImageEmbedding, Segmenter


class SegmenterMethod:
    """Asks a `Segmenter`.

    Args:
        segmenter: With the model, on its device.
        fabric: Its arithmetic.
    """

    def __init__(self, segmenter: Segmenter, fabric: Fabric) -> None:
        self.segmenter = segmenter
        self._fabric = fabric
        self._embedding: ImageEmbedding | None = None

    def set_image(self, image: np.ndarray, name: str) -> None:
        """Encode a picture."""
        with self._fabric.autocast():
            self._embedding = self.segmenter.embed(image)
        if self._fabric.device.type == "cuda":
            torch.cuda.synchronize(
                self._fabric.device
            )  # so that the time counts as the picture's, not the first click's

    def segment(self, clicks: Sequence[Click]) -> Answer:
        """Complete the region map from what the clicks make known of it."""
        assert self._embedding is not None
        prompt = Prompt(
            points_xy=tuple((click.x, click.y) for click in clicks),
            positive=tuple(click.positive for click in clicks),
        )
        with self._fabric.autocast():
            found = self.segmenter.segment(self._embedding, prompt)
        return Answer(found.mask, found.confidence)

    def complete(self, region: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Complete a region map of the picture, at the model's size.

        Args:
            region: Shape (h, w) bool, False in patches that are not visible.
            visible: Patches in which it is known, shape (L,) bool in raster order.

        Returns:
            Where the region is, shape (h, w) bool.
        """
        assert self._embedding is not None
        with self._fabric.autocast():
            return self.segmenter.complete(self._embedding, region, visible) >= 0.5
