"""Random blobs as regions: a control that keeps number and areas of the real regions, and nothing else."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from rmae.regions.blobs import draw_blob
from rmae.regions.overlap import stack_masks
from rmae.regions.stored import Stored


@dataclass(frozen=True, kw_only=True)
class RandomMasks:
    """As many blobs as a store has regions of an image, of exactly the same areas, at random places."""

    store: str
    """Region store that gives the areas; it must hold every image."""
    seed: int = 0
    """The blobs of an image depend on this, >= 0, and on the image's name."""
    kind: Literal["random-masks"] = "random-masks"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be at least 0")

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Scatter blobs over an image.

        Args:
            image: Shape (H, W, M); only its size is used.
            name: Path of the image relative to the image root.

        Returns:
            Label maps, shape (S, H, W) int32, with a blob for each region of the store, in the store's order.

        Raises:
            ValueError: The store cannot be read, lacks the image or has it in another size.
        """
        height, width = image.shape[:2]
        areas = self._stored.runs(name, (height, width)).areas().tolist()
        digest = hashlib.sha256(name.encode()).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(digest, "big")])
        return stack_masks((draw_blob(area, height, width, generator) for area in areas), height, width)

    @cached_property
    def _stored(self) -> Stored:
        return Stored(path=self.store)
