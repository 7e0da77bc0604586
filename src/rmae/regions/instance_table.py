"""Segmentations of instances by image, held in few arrays: processes share them, and they take little memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmae.quoting import quoted
from rmae.regions.coco_json import CocoFile, list_images, read_coco_file
from rmae.regions.listed_images import ListedImages


class RunLengths(NamedTuple):
    """A run-length mask as a JSON file carries it."""

    size: object
    """What should be its height and width."""
    counts: str | Sequence[int]
    """Lengths of its runs, compressed or plain."""


class Instance(NamedTuple):
    """An entry of `annotations`."""

    image_id: int | str
    """What its image is called."""
    is_crowd: bool
    """Whether it stands for a crowd."""
    segmentation: tuple[array, ...] | RunLengths
    """Polygons, x and y in turn, or run lengths."""


class InstanceTable(NamedTuple):
    """Segmentations of I instances, sorted by image, consisting of P polygons with T numbers; N images."""

    images: ListedImages
    """The images; their rows count the images here."""
    first_instances: np.ndarray
    """First instance of each image, then I; shape (N + 1,) int64."""
    first_polygons: np.ndarray
    """First polygon of each instance, then P; shape (I + 1,) int64."""
    first_numbers: np.ndarray
    """First number of each polygon, then T; shape (P + 1,) int64."""
    numbers: np.ndarray
    """x and y in turn, shape (T,) float64."""
    run_lengths: dict[int, RunLengths]
    """Masks of the instances that have no polygons, by instance."""

    def segmentations(self, row: int) -> Iterator[list[np.ndarray] | RunLengths]:
        """Go through the instances of an image in the order of the file: polygons (2 n,) float64, or run lengths."""
        for instance in range(self.first_instances[row], self.first_instances[row + 1]):
            if instance in self.run_lengths:
                yield self.run_lengths[instance]
                continue
            polygons = range(self.first_polygons[instance], self.first_polygons[instance + 1])
            yield [self.numbers[self.first_numbers[i] : self.first_numbers[i + 1]] for i in polygons]


def read_instances(paths: Iterable[str], *, crowds: bool) -> InstanceTable:
    """Read COCO instance files.

    Args:
        paths: The JSON files.
        crowds: Whether instances that stand for a crowd are kept.

    Returns:
        The instances of all files.

    Raises:
        ValueError: A file cannot be read or is not of this form, or an image is listed twice.
    """
    return tabulate([read_coco_file(path, "segmentation", parse_instance) for path in paths], crowds=crowds)


def tabulate(files: Sequence[CocoFile[Instance]], *, crowds: bool) -> InstanceTable:
    """Put the instances of files into a table; arguments and errors are those of `read_instances`."""
    images = list_images(files)
    kept = [(row, annotation) for row, annotation in with_rows(files) if crowds or not annotation.is_crowd]
    kept.sort(key=lambda pair: pair[0])
    first_polygons, first_numbers, numbers = array("q", [0]), array("q", [0]), array("d")
    run_lengths: dict[int, RunLengths] = {}
    for instance, (_, annotation) in enumerate(kept):
        if isinstance(annotation.segmentation, RunLengths):
            run_lengths[instance] = annotation.segmentation
        else:
            for polygon in annotation.segmentation:
                numbers.extend(polygon)
                first_numbers.append(len(numbers))
        first_polygons.append(len(first_numbers) - 1)
    return InstanceTable(
        images,
        np.searchsorted([row for row, _ in kept], np.arange(len(images.rows) + 1)),
        np.asarray(first_polygons),
        np.asarray(first_numbers),
        np.asarray(numbers),
        run_lengths,
    )


def with_rows(files: Iterable[CocoFile[Instance]]) -> Iterator[tuple[int, Instance]]:
    """Go through annotations in the order of the files, each with the row of its image in the list of all images.

    Raises:
        ValueError: An annotation is of an image that its file does not list.
    """
    num_images = 0
    for file in files:
        rows = {image.id: num_images + i for i, image in enumerate(file.images)}
        for annotation in file.annotations:
            if annotation.image_id not in rows:
                raise ValueError(
                    f"{file.path} has an annotation of the image with id {quoted(annotation.image_id)}, "
                    "which its 'images' do not list"
                )
            yield rows[annotation.image_id], annotation
        num_images += len(file.images)


def parse_instance(found: dict[str, Any]) -> Instance:
    """Check the form of an annotation; its numbers are checked when its image is looked up.

    Raises:
        ValueError: It has no image, no such segmentation, or iscrowd is neither 0 nor 1.
    """
    where = f"annotation {quoted(found.get('id'))}"
    image_id, is_crowd = found.get("image_id"), found.get("iscrowd", 0)
    if not isinstance(image_id, int | str):
        raise ValueError(f"{where} has the image_id {quoted(image_id)}; it must be an integer or a string")
    if is_crowd not in (0, 1):
        raise ValueError(f"{where} has iscrowd {quoted(is_crowd)}; it must be 0 or 1")
    match found["segmentation"]:
        case {"size": size, "counts": str(counts)}:
            segmentation = RunLengths(size, counts)
        case {"size": size, "counts": list(counts)}:
            segmentation = RunLengths(size, _packed("q", counts, f"{where} has run lengths that are no integers"))
        case list(polygons):
            fault = f"{where} has a polygon that is no list of numbers"
            segmentation = tuple(_packed("d", polygon, fault) for polygon in polygons)
        case other:
            raise ValueError(
                f"{where} has the segmentation {quoted(other)}; it must be a list of polygons, or a run-length "
                "mask with 'size' and 'counts'"
            )
    return Instance(image_id, bool(is_crowd), segmentation)


def _packed(typecode: str, numbers: Any, fault: str) -> array:
    """Numbers in 8 bytes each."""
    try:
        return array(typecode, numbers)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{fault}: {quoted(numbers)}") from error
