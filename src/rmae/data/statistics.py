"""Mean and standard deviation of a data set's pixels."""

import numpy as np

from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage

_SMALLEST_STD = 1e-3  # a quarter of one 8-bit step: keeps constant channels from being divided by zero


def measure_statistics(
    images: ImageSet, *, channels: int, max_pixels: int, seed: int, num_images: int = 1000
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure the pixels of each channel over a random sample of the images.

    Args:
        images: The files. Each weighs the same, whatever its size; those that cannot be read are left out.
        channels: 1, 3 or 4, as for `read_image`.
        max_pixels: Larger images are left out.
        seed: Which images are taken depends on it.
        num_images: Images to take at most.

    Returns:
        Mean and standard deviation of each channel, full scale = 1; the latter at least 0.001.

    Raises:
        ValueError: None of the images can be read.
    """
    means: list[np.ndarray] = []
    squares: list[np.ndarray] = []
    reason = "there is none"
    for index in np.random.default_rng(seed).permutation(len(images.names))[:num_images]:
        name = images.names[index]
        try:
            image = images.read(name, channels=channels, max_pixels=max_pixels)
        except UnreadableImage as error:
            reason = f"{name}: {error}"
            continue
        mean_of_image, square_of_image = _moments(image)
        means.append(mean_of_image)
        squares.append(square_of_image)
    if not means:
        raise ValueError(f"no image of {images.root} can be read to measure its pixels; the last was {reason}")
    mean = np.mean(means, axis=0)
    variance = np.maximum(np.mean(squares, axis=0) - mean**2, 0)
    std = np.maximum(np.sqrt(variance), _SMALLEST_STD)
    return tuple(mean.tolist()), tuple(std.tolist())


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean square of each channel of an image (H, W, M), full scale = 1, shape (M,) each."""
    full_scale = np.iinfo(image.dtype).max
    values = np.arange(full_scale + 1) / full_scale
    # Counted first: an image as floats takes eight times its memory.
    counts = [np.bincount(channel.ravel(), minlength=full_scale + 1) for channel in np.moveaxis(image, -1, 0)]
    shares = np.stack(counts) / image[..., 0].size  # (M, full scale + 1)
    return shares @ values, shares @ np.square(values)
