"""Labels in one PNG a picture, whose values are the classes."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage
from rmae.data.label_map_images import read_label_map
from rmae.evaluation.segmentation.labels import IGNORED, LABEL_DTYPE, WrongLabels

SUFFIX = ".png"
"""What files with labels end in."""
_NUM_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class SemanticPngs:
    """Labels from the PNG of the same name in another folder."""

    root: Path
    """Folder of the data set."""
    images_folder: str
    """Folder of the pictures, relative to root."""
    folder: str
    """Folder of the PNGs, relative to root."""
    ignore_label: int | None
    """Label of pixels without a class, beside the largest number of the PNG; those above it move down by one."""
    num_classes: int | None
    """Number of classes; None = any."""
    max_pixels: int
    """Larger PNGs are not read."""

    def __call__(self, name: str, image_hw: tuple[int, int]) -> np.ndarray:
        """Read the labels of a picture, as `LabelReader` says."""
        labels = self.read_classes(name)
        if labels.shape != image_hw:
            raise UnreadableImage(
                f"its labels in {self.path_of(name)} have {labels.shape[0]} x {labels.shape[1]} pixels (height x "
                f"width), but the picture has {image_hw[0]} x {image_hw[1]}"
            )
        return labels

    def read_classes(self, name: str) -> np.ndarray:
        """Read the labels of a picture, whatever its size."""
        path = self.root / self.path_of(name)
        labels = self._read(path)
        if self.ignore_label is not None:
            above = labels > self.ignore_label
            labels[labels == self.ignore_label] = IGNORED
            labels[above] -= 1
        highest = int(labels.max())
        limit = np.iinfo(LABEL_DTYPE).max + 1 if self.num_classes is None else self.num_classes
        if highest >= limit:
            raise WrongLabels(self._outside(path, highest, limit))
        return labels.astype(LABEL_DTYPE)

    def with_classes(self, num_classes: int) -> "SemanticPngs":
        """The same, with a number of classes."""
        return replace(self, num_classes=num_classes)

    def path_of(self, name: str) -> str:
        """Path of a picture's labels, relative to the root."""
        relative = Path(name).relative_to(self.images_folder)
        return (Path(self.folder) / relative).with_suffix(SUFFIX).as_posix()

    def name_of_label(self, class_: int) -> str:
        """The number that a class has in the PNGs."""
        moved = self.ignore_label is not None and class_ >= self.ignore_label
        return str(class_ + moved)

    def _read(self, path: Path) -> np.ndarray:
        """The labels as stored, shape (H, W) int32; `IGNORED` for the largest number of the PNG."""
        try:
            encoded = path.read_bytes()
        except FileNotFoundError:
            raise UnreadableImage(f"its labels are missing: there is no {path}") from None
        except OSError as error:
            raise UnreadableImage(f"{path} cannot be read ({error.strerror})") from None
        try:
            return read_label_map(encoded, str(path), self.max_pixels, formats=("PNG",), colours=False)
        except ValueError as error:
            raise UnreadableImage(str(error)) from error

    def _outside(self, path: Path, highest: int, limit: int) -> str:
        first, last = self.name_of_label(0), self.name_of_label(limit - 1)
        ignored = ("" if self.ignore_label is None else f"{self.ignore_label} and ") + "255 (65535 in 16 bits)"
        return (
            f"{path} holds the label {self.name_of_label(highest)}, but the {limit:,} classes have the labels {first} "
            f"to {last}, and {ignored} are ignored; correct the file or the list of classes, or set --ignore-label"
        )


def count_classes(images: ImageSet, labels: SemanticPngs) -> int:
    """Find the highest class in the labels of pictures, by reading all of them.

    Args:
        images: The pictures.
        labels: Theirs.

    Returns:
        Number of classes up to the highest one; 0 where all pixels are ignored.

    Raises:
        WrongLabels: There are more classes than label maps have room for.
    """

    def highest(name: str) -> int:
        try:
            return int(labels.read_classes(name).max())
        except UnreadableImage:
            return IGNORED  # training says so

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return 1 + max(pool.map(highest, images.names))


def check_pairs(images: ImageSet, labels: SemanticPngs) -> None:
    """Raise a ValueError if there is a picture without labels, or labels without a picture."""
    folder = labels.root / labels.folder
    files = (path for path in folder.rglob(f"*{SUFFIX}") if not path.name.startswith("."))
    there = {path.relative_to(labels.root).as_posix() for path in files}
    wanted = {labels.path_of(name): name for name in images.names}
    without_labels = sorted(name for path, name in wanted.items() if path not in there)
    if without_labels:
        raise ValueError(
            f"{_some(without_labels, 'picture has', 'pictures have')} no labels in {folder}: a picture a/b.jpg needs a "
            f"file a/b{SUFFIX} there"
        )
    without_picture = sorted(path for path in there if path not in wanted)
    if without_picture:
        raise ValueError(
            f"{_some(without_picture, 'file with labels has', 'files with labels have')} no picture in "
            f"{labels.root / labels.images_folder}; bring the pictures back, or take the labels away"
        )


def _some(names: Iterable[str], singular: str, plural: str) -> str:
    names = list(names)
    shown = ", ".join(names[:_NUM_NAMED]) + (", ..." if len(names) > _NUM_NAMED else "")
    return f"{len(names):,} {singular if len(names) == 1 else plural} ({shown})"
