"""Felzenszwalb-Huttenlocher segmentations as regions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

_MOST_PIXELS = 2**30  # numbers of their edges fill 32 bits
_LARGEST = 2**31 - 1  # scale or smallest size; no image has as many pixels


def felzenszwalb(
    image: np.ndarray,
    *,
    scales: Sequence[float] = (500, 1000, 1500),
    min_sizes: Sequence[int] | None = None,
    sigma: float = 0.8,
) -> np.ndarray:
    """Segment an image at several scales with the graph-based method of Felzenszwalb and Huttenlocher.

    Args:
        image: Shape (H, W) or (H, W, M), uint8 or uint16.
        scales: One segmentation is made for each; larger values favour larger segments. Each >= 0.
        min_sizes: Smallest segment of each segmentation in pixels, one for each scale; None takes the scales.
        sigma: Width in pixels, >= 0, of the Gaussian that smooths the image first.

    Returns:
        Label maps, shape (S, H, W) int32, S = len(scales). Labels are 0, 1, ... without gaps in every map.

    Raises:
        ValueError: The image has another dtype, shape or no pixel, or a setting lies outside its range.

    Source:
        "Efficient Graph-Based Image Segmentation", IJCV 2004. R-MAE (arXiv 2306.05411) uses three scales on COCO with
        min_size = scale. Labels are those of `skimage.segmentation.felzenszwalb`, edges of equal cost taken in a stable
        order.

    Example:
        >>> felzenszwalb(np.zeros((32, 48), np.uint8), scales=(100, 200)).shape
        (2, 32, 48)
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f"the image to segment is a {type(image).__name__}; give a numpy array")
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"the image to segment is {image.dtype}; give uint8 or uint16 pixels as stored in the file")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(
            f"the image to segment has shape {image.shape}; give (H, W) or (H, W, M) with at least 1 pixel"
        )
    if image.shape[0] * image.shape[1] >= _MOST_PIXELS:
        raise ValueError(f"the image to segment has shape {image.shape}; give less than {_MOST_PIXELS:,} pixels")
    _check_settings(scales, min_sizes, sigma)
    if min_sizes is None:
        min_sizes = [int(scale) for scale in scales]

    return _segment(image.reshape(*image.shape[:2], -1), np.asarray(scales, float), np.asarray(min_sizes), float(sigma))


def _segment(image: np.ndarray, scales: np.ndarray, min_sizes: np.ndarray, sigma: float) -> np.ndarray:
    """Segment an image (H, W, M); smoothing, costs and the order of the edges are the same for all scales."""
    from rmae.regions.kernels.edges import distribute, edge_costs
    from rmae.regions.kernels.merging import merge_segments
    from rmae.regions.kernels.smoothing import smooth

    height, width, channels = image.shape
    costs = edge_costs(smooth(image, sigma))
    edges, starts, lowest = distribute(costs, highest=math.sqrt(channels) + 1)
    ascending = np.argsort(scales, kind="stable")
    labels = np.empty((len(scales), height, width), dtype=np.int32)
    labels[ascending] = merge_segments(
        costs.reshape(4, -1),
        edges,
        starts,
        lowest,
        width=width,
        scales=scales[ascending] / 255,
        min_sizes=min_sizes[ascending].astype(np.int64),
    ).reshape(labels.shape)
    return labels


def _check_settings(scales: Sequence[float], min_sizes: Sequence[int] | None, sigma: float) -> None:
    if len(scales) == 0 or not all(0 <= scale <= _LARGEST for scale in scales):
        raise ValueError(f"scales are {tuple(scales)}; give at least one, each from 0 to {_LARGEST:,}")
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma is {sigma}; it must be finite and >= 0 pixels")
    if min_sizes is None:
        return
    if len(min_sizes) != len(scales) or not all(0 <= size <= _LARGEST and size == int(size) for size in min_sizes):
        raise ValueError(
            f"min_sizes are {tuple(min_sizes)} for {len(scales)} scales; give one for each scale, each a whole number "
            f"of pixels from 0 to {_LARGEST:,}"
        )


@dataclass(frozen=True, kw_only=True)
class Felzenszwalb:
    """Regions computed from the pixels, with nothing to download (the paper's default)."""

    scales: tuple[float, ...] = (500, 1000, 1500)
    """One label map is made for each; larger values give larger regions. At least one, each >= 0."""
    min_sizes: tuple[int, ...] | None = None
    """Smallest region in pixels, one for each scale; None takes the scales."""
    sigma: float = 0.8
    """Width in pixels of the Gaussian that smooths the image first, >= 0."""
    short_side: int | None = None
    """Shorter side in pixels, at least 1, to which larger images are reduced first; None = they are not.
    At 224 it is several times faster, but another segmentation: scales and sizes are those of the reduced image."""
    kind: Literal["felzenszwalb"] = "felzenszwalb"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        _check_settings(self.scales, self.min_sizes, self.sigma)
        if self.short_side is not None and self.short_side < 1:
            raise ValueError(f"short_side is {self.short_side}; it must be at least 1 pixel, or None")

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Segment an image (H, W, M) uint8 or uint16; returns label maps (S, H, W) int32. The name is not used."""
        height, width = image.shape[:2]
        if self.short_side is not None and min(height, width) > self.short_side:
            image = _reduce(image, self.short_side)
        label_maps = felzenszwalb(image, scales=self.scales, min_sizes=self.min_sizes, sigma=self.sigma)
        return _enlarge(label_maps, height, width)


def _reduce(image: np.ndarray, short_side: int) -> np.ndarray:
    """Reduce an image (H, W, M) with antialias, its aspect ratio kept to the nearest pixel."""
    from PIL import Image

    factor = short_side / min(image.shape[:2])
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    planes = [
        Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        for plane in np.moveaxis(image, 2, 0)
    ]
    return np.stack([np.rint(np.asarray(plane)) for plane in planes], axis=2).astype(image.dtype)


def _enlarge(label_maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge label maps (S, h, w); each pixel takes the label at its centre."""
    if label_maps.shape[1:] == (height, width):
        return label_maps
    rows = (2 * np.arange(height) + 1) * label_maps.shape[1] // (2 * height)
    columns = (2 * np.arange(width) + 1) * label_maps.shape[2] // (2 * width)
    return label_maps.take(rows, axis=1).take(columns, axis=2)
