"""Segments of panoptic annotations by image, held in few arrays."""

from array import array
from typing import Any, NamedTuple

import numpy as np

from rmae.quoting import one_line, quoted
from rmae.regions.coco_json import check_inside, list_images, read_coco_file
from rmae.regions.listed_images import ListedImages

NO_CATEGORY = -1
"""Category of segments for which the file gives none."""


class _Annotation(NamedTuple):
    image_id: int | str
    file_name: str
    ids: array
    is_crowd: bytes
    categories: array


class SegmentTable(NamedTuple):
    """Segments of N images, T together, sorted by image."""

    images: ListedImages
    """The images; their rows count the images here."""
    file_names: list[str | None]
    """Name of the PNG of each image; None where the image has no annotation."""
    first_segments: np.ndarray
    """First segment of each image, then T; shape (N + 1,) int64."""
    ids: np.ndarray
    """What a segment's pixels carry in the PNG; shape (T,) int64."""
    is_crowd: np.ndarray
    """Whether a segment stands for a crowd; shape (T,) bool."""
    categories: np.ndarray
    """Category id of a segment, `NO_CATEGORY` where the file gives none; shape (T,) int64."""


def read_segments(path: str) -> SegmentTable:
    """Read a COCO panoptic file.

    Args:
        path: The JSON file.

    Returns:
        The segments of its images.

    Raises:
        ValueError: The file cannot be read or is not of this form, or lists an image or its annotation twice.
    """
    file = read_coco_file(path, "segments_info", _parse)
    images = list_images([file])
    by_image: dict[int | str, _Annotation] = {}
    for annotation in file.annotations:
        if annotation.image_id in by_image:
            raise ValueError(f"{path} has two annotations of the image with id {quoted(annotation.image_id)}")
        by_image[annotation.image_id] = annotation
    file_names: list[str | None] = []
    first_segments, ids, is_crowd, categories = [0], array("q"), bytearray(), array("q")
    for image in file.images:
        annotation = by_image.pop(image.id, None)
        file_names.append(annotation.file_name if annotation else None)
        if annotation:
            ids.extend(annotation.ids)
            is_crowd.extend(annotation.is_crowd)
            categories.extend(annotation.categories)
        first_segments.append(len(ids))
    if by_image:
        raise ValueError(
            f"{path} has an annotation of the image with id {quoted(next(iter(by_image)))}, "
            "which its 'images' do not list"
        )
    return SegmentTable(
        images,
        file_names,
        np.array(first_segments),
        np.asarray(ids),
        np.array(is_crowd, dtype=np.uint8).view(bool),
        np.asarray(categories),
    )


def _parse(found: dict[str, Any]) -> _Annotation:
    match found:
        case {"image_id": int() | str() as image_id, "file_name": str(file_name), "segments_info": list(segments)}:
            check_inside(file_name)
            triples = [_segment(segment) for segment in segments]
        case _:
            raise ValueError(
                f"an annotation is no object with an image_id, a file_name and a list segments_info: {quoted(found)}"
            )
    ids = array("q", [id_ for id_, _, _ in triples])
    if len(set(ids)) < len(ids):
        raise ValueError(f"two segments of {one_line(file_name)} have the same id")
    categories = array("q", [category for _, _, category in triples])
    return _Annotation(image_id, file_name, ids, bytes(is_crowd for _, is_crowd, _ in triples), categories)


def _segment(segment: Any) -> tuple[int, int, int]:
    """Id, iscrowd and category id of a segment."""
    match segment:
        case {"id": int(id_)} if 1 <= id_ < 2**24 and segment.get("iscrowd", 0) in (0, 1):
            category = segment.get("category_id", NO_CATEGORY)
            # Regions do without categories; what needs them says what is wrong.
            known = isinstance(category, int) and 0 <= category < 2**31
            return id_, int(segment.get("iscrowd", 0)), category if known else NO_CATEGORY
    raise ValueError(
        "a segment is no object with an id from 1 to 16777215 (the red, green and blue of its pixels) and an iscrowd "
        f"of 0 or 1: {quoted(segment)}"
    )
