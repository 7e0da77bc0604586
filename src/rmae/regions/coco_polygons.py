"""Polygons as masks, to the pixel as COCO's own code draws them."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from rmae.regions.placed_mask import PlacedMask
from rmae.regions.rle import place_rle

_LONGEST_OUTLINE = 1000  # over height + width of the image; the C code keeps every fifth of a pixel of it in memory


def draw_polygons(polygons: Sequence[np.ndarray], height: int, width: int) -> PlacedMask:
    """Draw the polygons of one instance into one mask.

    Args:
        polygons: At least one, each of shape (2 n,) float64, n >= 3: x and y in turn, in pixels from the image's
            upper left corner. They may reach out of the image by no more than its longer side.
        height: H of the image in pixels.
        width: W of the image in pixels.

    Returns:
        The mask, on wherever one of the polygons is.

    Raises:
        ValueError: A polygon is none, or lies absurdly far outside; C code that trusts it must not see it.

    Source:
        The mask is that of pycocotools 2.0 (`frPyObjects`, then `merge`).
    """
    if not polygons:
        raise ValueError("an instance has no polygon; leave out annotations without a segmentation")
    for polygon in polygons:
        _check(polygon, height, width)

    from pycocotools import mask as coco_mask

    drawn: Any = coco_mask.frPyObjects(cast(Any, list(polygons)), height, width)
    counts: Any = coco_mask.merge(drawn)["counts"]  # bytes, although the type stubs say str
    return place_rle((height, width), counts.decode("ascii"))


def _check(polygon: np.ndarray, height: int, width: int) -> None:
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"a polygon has {len(polygon)} numbers; give x and y of at least 3 corners")
    if not np.isfinite(polygon).all():
        raise ValueError("a polygon has a corner that is not finite")
    corners = polygon.reshape(-1, 2)
    longer = max(height, width)
    if (corners < -longer).any() or (corners > [width + longer, height + longer]).any():
        raise ValueError(
            f"a polygon reaches from {corners.min(axis=0).tolist()} to {corners.max(axis=0).tolist()} (x, y), absurdly "
            f"far out of an image of {height} x {width} pixels"
        )
    steps = np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1)
    if steps.sum() > _LONGEST_OUTLINE * (height + width):
        raise ValueError(
            f"a polygon has an outline of {steps.sum():.0f} pixels, absurdly long in an image of {height} x {width}"
        )
