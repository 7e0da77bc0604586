"""Pictures to look at as they are: the middle of each, in order, from worker processes."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from rmae.data.crops import Crop, crop_image
from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage
from rmae.data.worker_pool import work_in_processes

CHANNELS = 3
"""Pictures are read as RGB: no other encoder is put to the test."""
_RESIZED, _CROPPED = 256, 224  # sides of the protocol at 224 pixels; other sizes keep their ratio


class PictureReading(NamedTuple):
    """How pictures are read and cut."""

    images: ImageSet
    """Where they come from."""
    image_hw: tuple[int, int]
    """Height h and width w of what is cut out of the middle, in pixels."""
    max_pixels: int
    """Larger pictures are unreadable."""


class ReadPictures(NamedTuple):
    """Some pictures, or why they cannot be had."""

    indices: np.ndarray
    """Which pictures of the set these are, shape (B,) int64."""
    pixels: np.ndarray
    """Shape (B, 3, h, w) uint8."""
    unreadable: tuple[tuple[int, str], ...]
    """Those of the same batch that are missing here, and why."""


@contextmanager
def open_pictures(
    reading: PictureReading, indices: Sequence[int] | np.ndarray, *, batch_size: int, num_workers: int
) -> Iterator[Iterator[ReadPictures]]:
    """Read pictures in batches; the workers end with the block.

    Args:
        reading: Which set, and how.
        indices: Which pictures of it.
        batch_size: Pictures in a batch, >= 1; the last one may have fewer.
        num_workers: Processes that read; 0 = this one. The batches are the same for any number, their order is not.
    """
    batches = (indices[start : start + batch_size] for start in range(0, len(indices), batch_size))
    results = work_in_processes(partial(read_batch, reading), batches, num_workers=num_workers)
    with closing(results):
        yield (batch for done in results for batch in done)


def read_batch(reading: PictureReading, indices: Sequence[int] | np.ndarray) -> ReadPictures:
    """Read and cut some pictures of a set; those that cannot be used are told, not raised."""
    read: list[np.ndarray] = []
    kept: list[int] = []
    unreadable: list[tuple[int, str]] = []
    for index in indices:
        name = reading.images.names[index]
        try:
            image = reading.images.read(name, channels=CHANNELS, max_pixels=reading.max_pixels)
        except UnreadableImage as error:
            unreadable.append((int(index), str(error)))
            continue
        read.append(to_bytes(cut_middle(image, reading.image_hw)))
        kept.append(int(index))
    pixels = np.stack(read) if read else np.empty((0, CHANNELS, *reading.image_hw), dtype=np.uint8)
    return ReadPictures(np.array(kept, dtype=np.int64), pixels, tuple(unreadable))


def cut_middle(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize a picture, bicubic with antialias, so that it is a seventh larger than asked for, and cut out its middle.

    Args:
        image: Shape (H, W, M), uint8 or uint16.
        size_hw: Height h and width w of the result in pixels. The picture is made as small as it can be with no side
            below 256 / 224 of them.

    Returns:
        Shape (M, h, w), same dtype.

    Source:
        The evaluation of MAE: the shorter side resized to 256 pixels, the middle of 224 by 224 taken.
    """
    height, width = image.shape[:2]
    resized_hw = _resized(height, width, size_hw)
    resized = crop_image(image, Crop(0, 0, height, width, False), resized_hw)
    top, left = (round((whole - part) / 2) for whole, part in zip(resized_hw, size_hw, strict=True))
    return resized[:, top : top + size_hw[0], left : left + size_hw[1]]


def _resized(height: int, width: int, size_hw: tuple[int, int]) -> tuple[int, int]:
    rows, columns = (side * _RESIZED // _CROPPED for side in size_hw)
    if rows * width >= columns * height:  # the height decides
        return rows, max(columns, rows * width // height)
    return max(rows, columns * height // width), columns


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Turn a picture of 16 bits into one of 8; others are returned as they are.

    Args:
        image: Any shape, uint8 or uint16.

    Returns:
        Same shape, uint8; 65535 becomes 255, rounded.
    """
    return image if image.dtype == np.uint8 else np.rint(image / 257).astype(np.uint8)
