"""Label maps of images seen before, kept in memory."""

from collections import OrderedDict

import numpy as np

from rmae.regions.source import RegionSource


class RegionMemory:
    """A region source that remembers what another one gave, since computing regions is the slowest part of a sample.

    The result is the wrapped source's, remembered or not. The maps used longest ago are forgotten first.

    Args:
        source: Where regions come from; its result must depend on nothing but the image and its name.
        max_bytes: Memory to use at most, in each process that reads images.
    """

    def __init__(self, source: RegionSource, max_bytes: int = 512 * 2**20):
        self._source = source
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._maps: OrderedDict[str, np.ndarray] = OrderedDict()

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Return the label maps (S, H, W) int32 of an image (H, W, M) whose name is always the same."""
        if name in self._maps:
            self._maps.move_to_end(name)
            return self._maps[name].astype(np.int32)
        label_maps = self._source(image, name)
        self._remember(name, _narrow(label_maps))
        return label_maps

    def _remember(self, name: str, label_maps: np.ndarray) -> None:
        self._maps[name] = label_maps
        self._num_bytes += label_maps.nbytes
        while self._num_bytes > self._max_bytes:
            _, forgotten = self._maps.popitem(last=False)
            self._num_bytes -= forgotten.nbytes


def _narrow(label_maps: np.ndarray) -> np.ndarray:
    """Copy to 16 bits where the labels fit: twice the images for the same memory."""
    fits = label_maps.size == 0 or (label_maps.min() >= -(2**15) and label_maps.max() < 2**15)
    return label_maps.astype(np.int16 if fits else np.int32)
