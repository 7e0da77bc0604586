"""Gaussian smoothing, to the last bit that of `scipy.ndimage.gaussian_filter`: border reflected, cut at 4 sigma."""

import numpy as np

from rmae.regions.kernels.compiled import compiled

_TRUNCATE = 4.0


def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """Scale an image to [0, 1] and smooth it.

    Args:
        image: Shape (H, W, M), uint8 or uint16.
        sigma: Width of the Gaussian in pixels, >= 0; 0 = none.

    Returns:
        One plane a channel, shape (M, H, W) float64.
    """
    planes = np.empty((image.shape[2], *image.shape[:2]))
    _to_planes(image, 1 / np.iinfo(image.dtype).max, planes)
    weights = _gaussian_weights(sigma)
    if len(weights) == 1:
        return planes
    smoothed = np.empty_like(planes)
    _smooth_planes(planes, weights, smoothed)
    return smoothed


def _gaussian_weights(sigma: float) -> np.ndarray:
    """Weights at distance 0, 1, ... from the centre, in the order of operations that fixes their last bits."""
    radius = int(_TRUNCATE * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    return weights[radius:]


@compiled
def _to_planes(image, multiplier, planes):
    height, width, channels = image.shape
    for y in range(height):
        for channel in range(channels):
            row = planes[channel, y]
            for x in range(width):
                row[x] = image[y, x, channel] * multiplier


@compiled
def _smooth_planes(planes, weights, smoothed):
    """Smooth down the columns, then along the rows; sums run from the farthest pair of taps to the nearest."""
    channels, height, width = planes.shape
    radius = len(weights) - 1
    padded = np.empty(width + 2 * radius)
    centre = padded[radius : radius + width]
    for channel in range(channels):
        plane = planes[channel]
        for y in range(height):
            row = plane[y]
            for x in range(width):
                centre[x] = row[x] * weights[0]
            for tap in range(radius, 0, -1):
                above, below, weight = plane[_reflect(y - tap, height)], plane[_reflect(y + tap, height)], weights[tap]
                for x in range(width):
                    centre[x] += (above[x] + below[x]) * weight
            for x in range(radius):
                padded[x] = centre[_reflect(x - radius, width)]
                padded[radius + width + x] = centre[_reflect(width + x, width)]
            out = smoothed[channel, y]
            for x in range(width):
                out[x] = centre[x] * weights[0]
            for tap in range(radius, 0, -1):
                left, right, weight = padded[radius - tap :], padded[radius + tap :], weights[tap]
                for x in range(width):
                    out[x] += (left[x] + right[x]) * weight


@compiled
def _reflect(place, length):
    """Mirror a place outside of 0 .. length - 1 back, the border pixel doubled: d c b a | a b c d | d c b a."""
    place %= 2 * length
    return place if place < length else 2 * length - 1 - place
