"""Annotated objects of one part of a data set, held in few arrays: processes share them."""

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmae.evaluation.objects.usability import find_faults
from rmae.quoting import one_line, quoted
from rmae.regions.coco_json import CocoFile, read_coco_file
from rmae.regions.coco_polygons import draw_polygons
from rmae.regions.instance_table import Instance, InstanceTable, RunLengths, parse_instance, tabulate, with_rows
from rmae.regions.placed_mask import PlacedMask
from rmae.regions.rle import place_rle

_FREQUENCIES = ("r", "c", "f")


class Category(NamedTuple):
    """What an object can be."""

    id: int
    """What annotations call it."""
    name: str
    frequency: str | None
    """LVIS alone: r = rare, c = common, f = frequent."""


class ObjectTable(NamedTuple):
    """The objects of N pictures, I together, sorted by picture."""

    file: str
    """Where they were read from."""
    names: tuple[str, ...]
    """Of the pictures, as the file gives them."""
    image_ids: tuple[int | str, ...]
    """What the file calls the pictures."""
    absent: tuple[tuple[int, ...], ...]
    """Ids of categories that are surely not in each picture; LVIS alone."""
    incomplete: tuple[tuple[int, ...], ...]
    """Ids of categories of which not all objects in each picture are annotated; LVIS alone."""
    table: InstanceTable
    """Masks."""
    labels: np.ndarray
    """Category of each object, from 1 on in the order of their ids; shape (I,) int64."""
    boxes_xywh: np.ndarray
    """As the file gives them, NaN where it does not; shape (I, 4) float64, in pixels."""
    areas: np.ndarray
    """The same, shape (I,) float64, in pixels."""
    is_crowd: np.ndarray
    """Whether an object stands for a crowd; shape (I,) bool."""
    is_usable: np.ndarray
    """Whether it has a mask with an area inside its picture; shape (I,) bool."""
    faults: dict[str, int]
    """Why the others are not, and how many."""

    def draw(self, row: int) -> list[tuple[int, PlacedMask]]:
        """Draw the masks of a picture.

        Args:
            row: Which picture.

        Returns:
            Each usable object's number and mask, crowds among them; in pixels of the picture, empty masks left out.

        Raises:
            ValueError: A mask is malformed.
        """
        height, width = self.table.images.sizes_hw[row].tolist()
        first = int(self.table.first_instances[row])
        drawn: list[tuple[int, PlacedMask]] = []
        for number, segmentation in enumerate(self.table.segmentations(row), start=first):
            if not self.is_usable[number]:
                continue
            try:
                mask = _draw(segmentation, height, width)
            except ValueError as error:
                name = one_line(self.names[row])
                raise ValueError(f"an object of {name} in {self.file} cannot be used: {error}") from error
            if mask.pixels.any():
                drawn.append((number, mask))
        return drawn

    def is_counted(self) -> np.ndarray:
        """Whether each object is usable and stands for no crowd, and so is to be found; shape (I,) bool."""
        return self.is_usable & ~self.is_crowd

    def counts_by_category(self, num_classes: int) -> np.ndarray:
        """Number of objects that count, of each category; shape (num_classes,) int64."""
        return np.bincount(self.labels[self.is_counted()], minlength=num_classes + 1)[1:]

    def counts_by_picture(self) -> np.ndarray:
        """Number of objects that count, of each picture; shape (N,) int64."""
        return np.diff(np.concatenate([[0], np.cumsum(self.is_counted())])[self.table.first_instances])


class _Entry(NamedTuple):
    instance: Instance
    category_id: int
    box: array
    area: float


def read_objects(path: Path) -> tuple[ObjectTable, tuple[Category, ...]]:
    """Read an instance file in COCO's or LVIS's form.

    Returns:
        Its objects, and its categories by ascending id.

    Raises:
        ValueError: The file cannot be read, is not of this form, or has an annotation of a category that it does not
            list.
    """
    file = read_coco_file(str(path), "segmentation", _parse)
    categories = _categories(file)
    instances = CocoFile(file.path, file.images, [entry.instance for entry in file.annotations])
    table = tabulate([instances], crowds=True)
    order = np.argsort(np.array([row for row, _ in with_rows([instances])], dtype=np.int64), kind="stable")
    boxes = np.array([entry.box for entry in file.annotations], dtype=np.float64).reshape(-1, 4)[order]
    is_usable, faults = find_faults(table, boxes)
    objects = ObjectTable(
        file=str(path),
        names=tuple(image.name for image in file.images),
        image_ids=tuple(image.id for image in file.images),
        absent=tuple(image.absent for image in file.images),
        incomplete=tuple(image.incomplete for image in file.images),
        table=table,
        labels=_labels([entry.category_id for entry in file.annotations], categories, path)[order],
        boxes_xywh=boxes,
        areas=np.array([entry.area for entry in file.annotations], dtype=np.float64)[order],
        is_crowd=np.array([entry.instance.is_crowd for entry in file.annotations], dtype=bool)[order],
        is_usable=is_usable,
        faults=faults,
    )
    return objects, categories


def _draw(segmentation: list[np.ndarray] | RunLengths, height: int, width: int) -> PlacedMask:
    if not isinstance(segmentation, RunLengths):
        return draw_polygons(segmentation, height, width)
    if segmentation.size != [height, width]:
        raise ValueError(
            f"a run-length mask has the size {quoted(segmentation.size)}, but the picture {[height, width]}"
        )
    return place_rle((height, width), segmentation.counts)


def _labels(ids: Sequence[int], categories: Sequence[Category], path: Path) -> np.ndarray:
    labels = {category.id: label for label, category in enumerate(categories, start=1)}
    for id_ in ids:
        if id_ not in labels:
            raise ValueError(
                f"{path} has an annotation with the category_id {quoted(id_)}, which its 'categories' do not list"
            )
    return np.array([labels[id_] for id_ in ids], dtype=np.int64)


def _categories(file: CocoFile) -> tuple[Category, ...]:
    entries = file.categories
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{file.path} has no list 'categories' that says what its objects are")
    categories = sorted((_category(entry, file.path) for entry in entries), key=lambda category: category.id)
    for one, other in pairwise(categories):
        if one.id == other.id:
            raise ValueError(f"{file.path} lists two categories with the id {quoted(one.id)}")
    return tuple(categories)


def _category(entry: Any, path: str) -> Category:
    match entry:
        case {"id": int(id_), "name": str(name)} if entry.get("frequency") in (None, *_FREQUENCIES):
            return Category(id_, name, entry.get("frequency"))
    raise ValueError(
        f"{path} has a category that is no object with an id, a name, and at most a frequency of r, c or f: "
        f"{quoted(entry)}"
    )


def _parse(found: dict[str, Any]) -> _Entry:
    where = f"annotation {quoted(found.get('id'))}"
    category_id, box, area = found.get("category_id"), found.get("bbox"), found.get("area")
    if not isinstance(category_id, int):
        raise ValueError(f"{where} has the category_id {quoted(category_id)}; it must be an integer")
    box = [math.nan] * 4 if box is None else box
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(number, int | float) for number in box):
        raise ValueError(f"{where} has the bbox {quoted(box)}; it must be x, y, width and height")
    area = math.nan if area is None else area
    if not isinstance(area, int | float):
        raise ValueError(f"{where} has the area {quoted(area)}; it must be a number of pixels")
    try:
        return _Entry(parse_instance(found), category_id, array("d", box), float(area))
    except OverflowError:
        raise ValueError(f"{where} has a number that is absurdly large") from None
