"""Pictures as an encoder sees them, with the patches that stand for their objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from rmae.data.crops import Crop, crop_image
from rmae.data.worker_pool import work_in_processes
from rmae.evaluation.localisation.queries import Query, place_query, resize_mask
from rmae.evaluation.objects.pictures import Part, read_evaluated_picture
from rmae.regions.placed_mask import PlacedMask

EMPTY = "with an empty mask"
_CHANNELS = 3


class QuerySettings(NamedTuple):
    """How pictures are read, and which of their objects are looked at."""

    image_hw: tuple[int, int]
    """Height and width to which whole pictures are brought, in pixels."""
    patch_size: int
    """P in pixels; divides both."""
    min_patch_share: float
    """As `LocaliseConfig.min_patch_share`."""
    max_pixels: int
    """Larger pictures are not read."""


class QueryBatch(NamedTuple):
    """B pictures, and n objects on them in the order of the pictures."""

    pixels: np.ndarray
    """Shape (B, 3, h, w) uint8; pictures of which no object is looked at are not here."""
    rows: np.ndarray
    """Which picture of the part each object is on, shape (n,) int64."""
    places: np.ndarray
    """The same as its place among the B, shape (n,) int64, ascending."""
    numbers: np.ndarray
    """Which object of the part each is, shape (n,) int64, ascending."""
    patches: np.ndarray
    """Query patches, shape (n,) int64."""
    inside: np.ndarray
    """Pixels of the patches inside the masks, as `Query.inside`; shape (n, L) int64."""
    outside: np.ndarray
    """The same outside."""
    left_out: Counter[str]
    """How many objects of these pictures are not looked at, by the reason."""


@contextmanager
def open_queries(
    part: Part, settings: QuerySettings, chunks: Sequence[np.ndarray], *, num_workers: int
) -> Iterator[Iterator[QueryBatch]]:
    """Read pictures in batches; the workers end with the block.

    Args:
        part: Pictures and objects.
        settings: How they are read.
        chunks: The pictures of each batch, each of shape (n,) int64.
        num_workers: Processes that read; 0 = this one. The batches are the same for any number, their order is not.

    Raises:
        ValueError: A picture cannot be used, while the batches are gone through.
    """
    results = work_in_processes(partial(read_queries, part, settings), chunks, num_workers=num_workers)
    try:
        yield (batch for done in results for batch in done)
    finally:
        results.close()


def read_queries(part: Part, settings: QuerySettings, rows: Sequence[int] | np.ndarray) -> QueryBatch:
    """Read some pictures, and place the query of each of their objects that counts.

    Raises:
        ValueError: A picture or a mask cannot be used: scores of the others would be scores of other data.
    """
    pixels: list[np.ndarray] = []
    found: list[tuple[int, int, int, Query]] = []
    left_out: Counter[str] = Counter()
    for row in map(int, rows):
        image = read_evaluated_picture(part, row, max_pixels=settings.max_pixels)
        masks = counted_masks(part, row)
        left_out[EMPTY] += _num_counted(part, row) - len(masks)
        queries = []
        for number, mask in masks:
            resized = resize_mask(mask, (image.shape[0], image.shape[1]), settings.image_hw)
            query = place_query(resized, settings.patch_size, min_share=settings.min_patch_share)
            if isinstance(query, str):
                left_out[query] += 1
            else:
                queries.append((row, len(pixels), number, query))
        if queries:
            found += queries
            pixels.append(squeeze(image, settings.image_hw))
    return _batch(pixels, found, +left_out, settings)


def counted_masks(part: Part, row: int) -> list[tuple[int, PlacedMask]]:
    """Numbers and masks of the objects of a picture that are no crowds; a ValueError where a mask is malformed."""
    return [(number, mask) for number, mask in part.objects.draw(row) if not part.objects.is_crowd[number]]


def _num_counted(part: Part, row: int) -> int:
    objects = part.objects
    of_picture = slice(*objects.table.first_instances[row : row + 2])
    return int(np.count_nonzero(objects.is_usable[of_picture] & ~objects.is_crowd[of_picture]))


def squeeze(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Bring a whole picture (H, W, 3), whatever its shape, to a size, bicubic with antialias; shape (3, h, w) uint8."""
    height, width = image.shape[:2]
    return crop_image(image, Crop(0, 0, height, width, False), size_hw)


def _batch(
    pixels: list[np.ndarray],
    found: list[tuple[int, int, int, Query]],
    left_out: Counter[str],
    settings: QuerySettings,
) -> QueryBatch:
    (height, width), patch_size = settings.image_hw, settings.patch_size
    num_patches = (height // patch_size) * (width // patch_size)
    whole = np.array([[row, place, number, query.patch] for row, place, number, query in found], dtype=np.int64)
    rows, places, numbers, patches = whole.reshape(-1, 4).T
    return QueryBatch(
        np.stack(pixels) if pixels else np.empty((0, _CHANNELS, height, width), dtype=np.uint8),
        rows,
        places,
        numbers,
        patches,
        np.array([query.inside for *_, query in found], dtype=np.int64).reshape(-1, num_patches),
        np.array([query.outside for *_, query in found], dtype=np.int64).reshape(-1, num_patches),
        left_out,
    )
