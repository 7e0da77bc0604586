"""Label maps as runs of equal labels: a few kilobytes an image, read back whole or only where they are needed."""

from functools import lru_cache
from threading import get_ident
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from zstandard import ZstdDecompressor

_LEVEL = 9  # of zstandard: further ones gain 4 % for three times the time
_MOST_NUMBERS = 2**28
"""Numbers that the runs of an image may be: 1 GiB unpacked, 4 bytes each, however few bytes they are packed into.

A map of the largest picture that Pillow opens (89,478,485 pixels) has fewer, were each of its pixels a run in a row of
its own; segmentations of photographs have a run for every forty or more, so there may be dozens of such maps.
"""


class LabelRuns(NamedTuple):
    """Label maps row by row, as runs of pixels with one label. Nothing is lost."""

    counts: np.ndarray
    """Number of runs in each row, shape (S, H) uint32."""
    lengths: np.ndarray
    """Pixels of each run, row after row, shape (runs,) uint32."""
    labels: np.ndarray
    """Label of each run, shape (runs,) int32."""
    width: int
    """W in pixels."""

    @classmethod
    def of(cls, label_maps: np.ndarray) -> "LabelRuns":
        """Find the runs of label maps, shape (S, H, W) int32."""
        from rmae.regions.kernels.runs import count_runs, fill_runs

        label_maps = np.require(label_maps, np.int32, ["C", "W"])  # the one kind of array to compile for
        counts = np.empty(label_maps.shape[:2], dtype=np.uint32)
        count_runs(label_maps, counts)
        num_runs = int(counts.sum())
        lengths, labels = np.empty(num_runs, dtype=np.uint32), np.empty(num_runs, dtype=np.int32)
        fill_runs(label_maps, lengths, labels)
        return cls(counts, lengths, labels, label_maps.shape[2])

    def label_maps(self) -> np.ndarray:
        """The label maps, shape (S, H, W) int32."""
        num_maps, height = self.counts.shape
        return np.repeat(self.labels, self.lengths).reshape(num_maps, height, self.width)

    def dense_labels(self) -> np.ndarray:
        """Labels small enough to count in a table, in the same order: themselves or, where they are large, their ranks.

        Returns:
            Shape (runs,) int32; below 0 where there is no region.
        """
        if self.labels.max(initial=-1) <= 4 * len(self.labels):
            return self.labels
        values, ranks = np.unique(self.labels, return_inverse=True)
        return np.maximum(ranks - np.count_nonzero(values < 0), -1).astype(np.int32)

    def areas(self) -> np.ndarray:
        """Pixels of each region, map by map and in the order of labels, shape (regions,) int64."""
        labels = self.dense_labels()
        num_labels = int(labels.max(initial=-1)) + 1
        of_run = np.repeat(np.arange(len(self.counts)), self.counts.sum(axis=1, dtype=np.int64))
        is_region = labels >= 0
        places = of_run[is_region] * num_labels + labels[is_region]
        areas = np.bincount(places, weights=self.lengths[is_region])
        return areas[areas > 0].astype(np.int64)

    def pack(self) -> bytes:
        """Compress to bytes that `unpack` reads.

        Raises:
            ValueError: There are more than a hundred million runs.
        """
        from zstandard import ZstdCompressor

        if self.counts.size + 2 * len(self.labels) > _MOST_NUMBERS:
            raise ValueError(f"there are {len(self.labels):,} runs of equal labels, more than can be kept of an image")
        labels = self.labels.view(np.uint32) + np.uint32(1)  # so that none, -1, becomes 0
        values = np.concatenate([self.counts.ravel(), self.lengths, labels]).astype("<u4")
        num_bytes = max(1, -(-int(values.max(initial=0)).bit_length() // 8))  # of the largest value, 1 to 4
        planes = values.view(np.uint8).reshape(-1, 4).T[:num_bytes]  # they compress better apart, lowest bytes first
        return ZstdCompressor(level=_LEVEL, write_checksum=True).compress(bytes([num_bytes]) + planes.tobytes())

    @classmethod
    def unpack(cls, packed: bytes, *, num_maps: int, height: int, width: int) -> "LabelRuns":
        """Read what `pack` wrote.

        Args:
            packed: The bytes.
            num_maps: S.
            height: H in pixels.
            width: W in pixels.

        Raises:
            ValueError: The bytes are damaged, or are of label maps of another shape.
        """
        from zstandard import ZstdError, frame_content_size

        from rmae.regions.kernels.runs import join_runs

        if min(num_maps, height, width) < 0:
            raise ValueError(f"{num_maps} label maps of {height} x {width} pixels cannot be")
        num_rows = num_maps * height
        limit = 1 + 4 * (num_rows + 2 * num_rows * width)  # a run a pixel
        try:
            if frame_content_size(packed) > limit:
                raise ValueError(f"its bytes are of more than {num_maps} label maps of {height} x {width} pixels")
            if frame_content_size(packed) > 1 + 4 * _MOST_NUMBERS:
                raise ValueError(f"its bytes are of more than the {_MOST_NUMBERS:,} numbers that are allowed")
            unpacked = _decompressor(get_ident()).decompress(packed, allow_extra_data=False)
        except ZstdError as error:
            raise ValueError(f"its bytes are damaged ({error})") from error
        num_bytes = unpacked[0] if unpacked else 0
        num_runs = ((len(unpacked) - 1) // max(1, num_bytes) - num_rows) // 2
        # Asked once more, since numbers that are packed into a byte each take four.
        if num_rows + 2 * num_runs > _MOST_NUMBERS:
            raise ValueError(f"its bytes are of more than the {_MOST_NUMBERS:,} numbers that are allowed")
        values = np.empty(max(0, num_rows + 2 * num_runs), dtype=np.uint32)
        possible = 1 <= num_bytes <= 4 and num_runs >= 0 and len(unpacked) == 1 + num_bytes * len(values)
        if not possible or not join_runs(np.frombuffer(unpacked, dtype=np.uint8, offset=1), num_rows, width, values):
            raise ValueError(f"its bytes are not of {num_maps} label maps of {height} x {width} pixels")
        lengths, labels = values[num_rows : num_rows + num_runs], values[num_rows + num_runs :].view(np.int32)
        return cls(values[:num_rows].reshape(num_maps, height), lengths, labels, width)


@lru_cache(maxsize=8)
def _decompressor(thread: int) -> "ZstdDecompressor":
    """One for each thread: to make it takes a third of its work on an image."""
    from zstandard import ZstdDecompressor

    return ZstdDecompressor()
