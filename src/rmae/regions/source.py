"""What a region source is."""

from typing import Protocol

import numpy as np

NO_REGION = -1
"""Value of a label map's pixel that belongs to no region."""

SPEED_ONLY = "speed_only"
"""Key of a setting's metadata: True where a source's regions do not depend on the setting."""


class RegionSource(Protocol):
    """Anything that gives the regions of an image.

    The sources of this package are their own settings: frozen dataclasses whose call does the work. Sources that
    compute from pixels ignore the name; sources that look regions up ignore the pixels. Any callable of this form
    works from Python.
    """

    def __call__(self, image: np.ndarray, name: str, /) -> np.ndarray:
        """Return the regions of one image.

        Args:
            image: The image as stored, shape (H, W, M), uint8 or uint16. It is not changed.
            name: Path of the image relative to the image root, with forward slashes.

        Returns:
            Label maps, shape (S, H, W) int32. Each label >= 0 of each map is one region: the pixels that carry it.
            `NO_REGION` marks pixels that belong to none. Regions that overlap stand in different maps; S may be 0.
        """
        ...
