"""Felzenszwalb-Huttenlocher segmentations as regions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np


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
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"the image to segment is {image.dtype}; give uint8 or uint16 pixels as stored in the file")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(
            f"the image to segment has shape {image.shape}; give (H, W) or (H, W, M) with at least 1 pixel"
        )
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
    if not scales or not all(np.isfinite(scale) and scale >= 0 for scale in scales):
        raise ValueError(f"scales are {tuple(scales)}; give at least one, each finite and >= 0")
    if min_sizes is not None and (len(min_sizes) != len(scales) or min(min_sizes) < 0):
        raise ValueError(
            f"min_sizes are {tuple(min_sizes)} for {len(scales)} scales; give one for each scale, each >= 0 pixels"
        )
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma is {sigma}; it must be finite and >= 0 pixels")


@dataclass(frozen=True, kw_only=True)
class Felzenszwalb:
    """Regions computed from the pixels, with nothing to download (the paper's default)."""

    scales: tuple[float, ...] = (500, 1000, 1500)
    """One label map is made for each; larger values give larger regions. At least one, each >= 0."""
    min_sizes: tuple[int, ...] | None = None
    """Smallest region in pixels, one for each scale; None takes the scales."""
    sigma: float = 0.8
    """Width in pixels of the Gaussian that smooths the image first, >= 0."""
    kind: Literal["felzenszwalb"] = "felzenszwalb"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        _check_settings(self.scales, self.min_sizes, self.sigma)

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Segment an image (H, W, M) uint8 or uint16; returns label maps (S, H, W) int32. The name is not used."""
        return felzenszwalb(image, scales=self.scales, min_sizes=self.min_sizes, sigma=self.sigma)
