"""Superpixels as regions."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Slic:
    """Superpixels of about equal size, computed from the pixels with SLIC."""

    num_segments: tuple[int, ...] = (50,)
    """About how many superpixels to make; one label map is made for each. At least one, each >= 1."""
    compactness: float = 10.0
    """How square they are, > 0: distance in colour that weighs as much as the distance between two of them."""
    sigma: float = 1.0
    """Width in pixels of the Gaussian that smooths the image first, >= 0."""
    kind: Literal["slic"] = "slic"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        if not self.num_segments or min(self.num_segments) < 1:
            raise ValueError(f"num_segments is {self.num_segments}; give at least one number, each >= 1")
        if not (math.isfinite(self.compactness) and self.compactness > 0):
            raise ValueError(f"compactness is {self.compactness}; it must be finite and > 0")
        if not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise ValueError(f"sigma is {self.sigma}; it must be finite and >= 0 pixels")

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Compute the superpixels of an image.

        Args:
            image: Shape (H, W, M), uint8 or uint16; 3 channels are taken for RGB and compared as Lab colours.
            name: Not used.

        Returns:
            Label maps, shape (S, H, W) int32, S = len(num_segments). Labels are 0, 1, ... without gaps in every map.

        Source:
            "SLIC Superpixels Compared to State-of-the-art Superpixel Methods", TPAMI 2012, as scikit-image computes it.
        """
        from skimage.segmentation import slic

        label_maps = [
            slic(
                image,
                n_segments=number,
                compactness=self.compactness,
                sigma=self.sigma,
                start_label=0,
                channel_axis=-1,
            )
            for number in self.num_segments
        ]
        return np.stack(label_maps).astype(np.int32)
