"""Pictures in class folders: ImageNet's layout."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.parquet import parquet_files
from rmae.data.shards import is_packed

_TRAIN, _VAL = "train", "val"


class LabelledImages(NamedTuple):
    """Pictures, each of one class."""

    images: ImageSet
    """The pictures, N of them."""
    labels: np.ndarray
    """The class of each, shape (N,) int64, in [0, C)."""


class ClassificationData(NamedTuple):
    """Pictures to learn from and pictures to be judged by."""

    root: Path
    """The folder they are in."""
    train: LabelledImages
    val: LabelledImages
    classes: tuple[str, ...]
    """Names of the C classes, sorted: label i is the i-th."""

    def fingerprint(self) -> str:
        """Number of training pictures and a digest of their names, of which their classes are a part."""
        return self.train.images.fingerprint()


def list_classes(root: Path) -> ClassificationData:
    """Find labelled pictures in ImageNet's layout: `train/CLASS/...` and `val/CLASS/...`, in files or packed shards.

    The class is the first folder below `train` or `val`; pictures in folders further down belong to it too.

    Args:
        root: The folder that holds `train` and `val`.

    Returns:
        The pictures and their classes. A class may have no picture in `val`.

    Raises:
        ValueError: There is no such folder, no picture in it, a picture outside a class, fewer than two classes, a
            class without a picture to train on, or a class that is in `val` alone.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the folder that holds {_TRAIN}/CLASS and {_VAL}/CLASS")
    if parquet_files(root):
        raise ValueError(
            f"{root} holds Parquet files; classes are read from folders of pictures, {_TRAIN}/CLASS and {_VAL}/CLASS"
        )
    train, val = (_list_part(root, part) for part in (_TRAIN, _VAL))
    classes = sorted({_class_of(name) for name in train.names})
    if len(classes) < 2:
        raise ValueError(f"{root / _TRAIN} has one class, {classes[0]}; at least two are needed to tell them apart")
    unknown = sorted({_class_of(name) for name in val.names}.difference(classes))
    if unknown:
        raise ValueError(
            f"{root / _VAL} has {_told(unknown, 'class', 'classes')} which {root / _TRAIN} lacks; bring the training "
            "pictures, or take the folder out of val"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    return ClassificationData(root, _label(train, numbers), _label(val, numbers), tuple(classes))


def _label(images: ImageSet, numbers: dict[str, int]) -> LabelledImages:
    return LabelledImages(images, np.array([numbers[_class_of(name)] for name in images.names], dtype=np.int64))


def _list_part(root: Path, part: str) -> ImageSet:
    """The pictures of a part, each inside the folder of a class."""
    packed = is_packed(root)
    if not packed and not (root / part).is_dir():
        raise ValueError(
            f"{root} has no folder {part}; pictures are expected in ImageNet's layout, in {_TRAIN}/CLASS and "
            f"{_VAL}/CLASS"
        )
    images = list_images(root, (part,))
    loose = [name for name in images.names if name.count("/") < 2]
    if loose:
        raise ValueError(
            f"{root / part} holds {_told(loose, 'picture', 'pictures')} outside the folder of a class; put each into "
            f"{part}/CLASS, as in {part}/dog/1.jpg"
        )
    if part == _TRAIN and not packed:
        _refuse_empty_classes(root / part, images)
    return images


def _refuse_empty_classes(folder: Path, images: ImageSet) -> None:
    with os.scandir(folder) as entries:
        folders = {entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")}
    empty = sorted(folders.difference(_class_of(name) for name in images.names))
    if empty:
        raise ValueError(
            f"{folder} has no picture of {_told(empty, 'class', 'classes')}; put some into that folder, or remove it"
        )


def _class_of(name: str) -> str:
    return name.split("/")[1]


def _told(names: list[str], one: str, many: str) -> str:
    """How many there are, and the first of them."""
    return f"the {one} {names[0]}" if len(names) == 1 else f"{len(names):,} {many}, {names[0]} the first,"
