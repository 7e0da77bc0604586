"""Regions that stand beside their images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Regions inside the data: those that shards were packed with, or label maps in a column of Parquet files."""

    column: str = "regions"
    """Column of Parquet files that holds an image's label map, or a list of label maps; of no use in shards."""
    kind: Literal["inside"] = "inside"
    """Names this source in saved configurations."""

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Raise a ValueError: what reads the image reads these regions too, and asks nobody."""
        raise ValueError(
            f"the regions of {name} are to stand beside it, but it is a file of its own; name a source of regions"
        )
