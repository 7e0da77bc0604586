"""Checking what a region source gives: users may pass their own."""

from dataclasses import dataclass

import numpy as np

from rmae.regions.source import RegionSource


class WrongRegionSource(TypeError):
    """A region source that does not do what region sources do: a mistake in a program, not a damaged image."""


@dataclass(frozen=True)
class CheckedSource:
    """A region source whose results are known to be label maps of the image's size."""

    source: RegionSource
    """Where regions come from."""

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Return the label maps of an image.

        Args:
            image: Shape (H, W, M), uint8 or uint16.
            name: Path of the image relative to the image root.

        Returns:
            Label maps, shape (S, H, W) int32.

        Raises:
            WrongRegionSource: The source gave something else.
            ValueError: As the source raises for an image without regions.
        """
        label_maps = self.source(image, name)
        fault = _fault(label_maps, image.shape[:2])
        if fault:
            raise WrongRegionSource(
                f"the region source {self.source!r} gave {fault} for {name}; it must give label maps: a numpy array of "
                f"integers of shape (maps, {image.shape[0]}, {image.shape[1]}), -1 where there is no region"
            )
        return label_maps.astype(np.int32, copy=False)


def _fault(label_maps: object, image_hw: tuple[int, ...]) -> str | None:
    """Say what is wrong with a source's result; None where nothing is."""
    if not isinstance(label_maps, np.ndarray):
        return f"a {type(label_maps).__name__}"
    if not np.issubdtype(label_maps.dtype, np.integer):
        return f"an array of {label_maps.dtype}"
    if label_maps.ndim != 3 or label_maps.shape[1:] != image_hw:
        return f"an array of shape {label_maps.shape}"
    limits = np.iinfo(np.int32)
    if label_maps.size and (label_maps.min() < limits.min or label_maps.max() > limits.max):
        return f"labels from {label_maps.min()} to {label_maps.max()}, which 32 bits do not hold,"
    return None
