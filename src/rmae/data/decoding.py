"""Decoding no more of an image than a crop of it needs."""

import numpy as np

from rmae.data.crops import Crop, crop_image
from rmae.data.images import StoredImage


def reduction_for(image: StoredImage, crop: Crop, size_hw: tuple[int, int]) -> int:
    """How much smaller an image may be decoded so that a crop of it need not be enlarged.

    Args:
        image: Whose crop it is.
        crop: A rectangle inside it.
        size_hw: Height h and width w that the crop is resized to, in pixels.

    Returns:
        8, 4, 2 or 1, as far as the file allows.
    """
    return next(
        (
            step
            for step in (8, 4, 2)
            if step <= image.max_reduction and crop.height >= step * size_hw[0] and crop.width >= step * size_hw[1]
        ),
        1,
    )


def decode_crop(image: StoredImage, crop: Crop, size_hw: tuple[int, int]) -> np.ndarray:
    """Decode an image, at a fraction of its size where that is enough, and cut a crop out of it.

    Args:
        image: What to decode.
        crop: A rectangle inside it, moved to the grid of `reduction_for`.
        size_hw: Height h and width w of the result in pixels.

    Returns:
        Shape (M, h, w), uint8 or uint16.

    Raises:
        UnreadableImage: The pixels are damaged.
    """
    step = reduction_for(image, crop, size_hw)
    # On its way to a grid a crop may have grown so that a coarser one would do, on which its edges need not lie.
    while any(edge % step for edge in crop[:4]):
        step //= 2
    return crop_image(image.pixels(step), crop.reduced(step), size_hw)
