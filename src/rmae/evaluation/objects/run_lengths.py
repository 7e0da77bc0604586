"""Masks as COCO's compressed run lengths."""

from typing import Any

import numpy as np

from rmae.regions.placed_mask import PlacedMask


def run_lengths(mask: PlacedMask, picture_hw: tuple[int, int]) -> dict[str, Any]:
    """Write a mask as COCO's JSON files have it.

    Args:
        mask: In pixels of the picture.
        picture_hw: Height and width of the picture.

    Returns:
        `size` and `counts`, as `json.dumps` takes them.
    """
    from pycocotools import mask as coco_mask

    whole = np.zeros(picture_hw, np.uint8, order="F")
    whole[mask.box] = mask.pixels
    counts: Any = coco_mask.encode(whole)["counts"]  # bytes, although the type stubs say str
    return {"size": list(picture_hw), "counts": counts.decode("ascii")}
