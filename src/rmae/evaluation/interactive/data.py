"""Pictures for validation, and the objects on them that are clicked on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.objects.annotations import Category
from rmae.evaluation.objects.pictures import Part, open_validation


class InteractiveData(NamedTuple):
    """Pictures and objects."""

    root: Path
    """Folder of the data set."""
    part: Part
    """The part for validation."""
    categories: tuple[Category, ...]
    """By ascending id; label i stands for the (i - 1)-th."""

    def fingerprint(self) -> str:
        """Digest of the pictures and of which objects there are: an evaluation that goes on needs the same."""
        return self.part.fingerprint()


class Choice(NamedTuple):
    """Which objects are clicked on."""

    by_row: dict[int, tuple[int, ...]]
    """Of each picture with such objects their numbers, both ascending."""
    num_eligible: int
    """Objects from which they were drawn."""
    num_small: int
    """Objects that cover too little of their picture."""

    @property
    def num_objects(self) -> int:
        """How many they are."""
        return sum(map(len, self.by_row.values()))


def open_data(config: InteractiveConfig, root: Path) -> InteractiveData:
    """Find pictures and read annotations.

    Args:
        config: The layout, and which objects are large enough.
        root: Folder of the data set. COCO: `val2017/` and `annotations/instances_val2017.json`; LVIS: COCO's folders of
            pictures with `annotations/lvis_v1_val.json`.

    Raises:
        ValueError: There is no such folder or file, the file is not of this form, a picture is missing, or there is no
            object that is large enough.
    """
    part, categories = open_validation(root, config.layout)
    data = InteractiveData(root, part, categories)
    choice = choose_objects(config, data)
    if not choice.num_eligible:
        small = f"; {choice.num_small:,} are smaller (--min-object-share)" if choice.num_small else ""
        raise ValueError(
            f"there is no object in {part.objects.file} that covers at least {config.min_object_share:.1%} of its "
            f"picture{small}"
        )
    return data


def choose_objects(config: InteractiveConfig, data: InteractiveData) -> Choice:
    """Draw the objects that are clicked on: one of each picture, then a second one, until there are enough.

    Objects that cannot be used, crowds, and those that cover too little of their picture, by the area that the file
    gives, are no choice. Where the file gives no area, that of the mask counts.

    Args:
        config: How many, how large, and the seed.
        data: Pictures and objects.
    """
    objects = data.part.objects
    rows = np.repeat(np.arange(len(objects.names)), np.diff(objects.table.first_instances))
    counted = objects.is_counted()
    large = _shares(data, rows, counted) >= config.min_object_share
    eligible = np.flatnonzero(counted & large)
    chances = np.random.default_rng(config.run.seed).random((2, len(counted)))[:, eligible]
    of_rows = rows[eligible]
    order = np.lexsort((chances[0], of_rows))  # by picture, there in a random order
    starts = np.flatnonzero(np.diff(of_rows[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(order)))
    turns = np.empty(len(order), np.int64)
    turns[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    drawn = np.sort(eligible[np.lexsort((chances[1], turns))[: config.max_objects]])
    by_row: dict[int, list[int]] = {}
    for number in drawn.tolist():
        by_row.setdefault(int(rows[number]), []).append(number)
    return Choice(
        {row: tuple(numbers) for row, numbers in by_row.items()}, len(eligible), int(np.count_nonzero(counted & ~large))
    )


def _shares(data: InteractiveData, rows: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Share of its picture that each object covers, shape (I,) float64."""
    objects = data.part.objects
    areas = objects.areas.copy()
    for row in np.unique(rows[counted & np.isnan(areas)]).tolist():
        for number, mask in objects.draw(row):
            areas[number] = np.count_nonzero(mask.pixels)
    return areas / objects.table.images.sizes_hw[rows].prod(axis=1)


def read_masks(part: Part, row: int, numbers: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Draw some objects of a picture.

    Returns:
        The mask of each by its number, shape (H, W) bool, without those that turn out to be empty.

    Raises:
        ValueError: A mask is malformed.
    """
    height, width = part.objects.table.images.sizes_hw[row].tolist()
    masks = {}
    for number, placed in part.objects.draw(row):
        if number in numbers:
            masks[number] = np.zeros((height, width), bool)
            masks[number][placed.box] = placed.pixels
    return masks
