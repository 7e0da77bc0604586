"""Regions that are never stored."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.sources import NamedSource


@dataclass(frozen=True, kw_only=True)
class Live:
    """Regions computed, or looked up, anew each time by the processes that read images; nothing is stored."""

    source: NamedSource = field(default_factory=Felzenszwalb)
    """Where they come from."""
    kind: Literal["live"] = "live"
    """Names this source in saved configurations."""

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Ask the source: image (H, W, M) and its name to label maps (S, H, W) int32."""
        return self.source(image, name)
