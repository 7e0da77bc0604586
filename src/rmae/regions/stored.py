"""Regions that were made before and stored."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from rmae.regions.label_runs import LabelRuns
from rmae.regions.store import RegionStore


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Regions looked up in a store that `rmae regions make` wrote."""

    path: str
    """The store."""
    kind: Literal["stored"] = "stored"
    """Names this source in saved configurations."""

    @cached_property
    def store(self) -> RegionStore:
        """The store, opened when it is first needed."""
        return RegionStore(self.path)

    def runs(self, name: str, image_hw: tuple[int, ...]) -> LabelRuns:
        """Look up the regions of an image of H x W pixels, as runs; errors are those of a call."""
        return self.store.read(name, image_hw=image_hw)

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Look up the regions of an image.

        Args:
            image: Shape (H, W, M); only its size is used.
            name: Path of the image relative to the image root, as when the store was made.

        Returns:
            Label maps, shape (S, H, W) int32.

        Raises:
            ValueError: The store cannot be read, lacks the image or has it in another size.
        """
        return self.runs(name, image.shape[:2]).label_maps()
