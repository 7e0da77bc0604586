"""Which image files a data set consists of, and which of them are kept for the report."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from rmae.config import DataConfig
from rmae.data.photographs import HELD_OUT, TRAINING, photographs_folder
from rmae.regions.label_runs import LabelRuns

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""What image files end in; upper and lower case are the same."""

_TRAINING_FOLDERS = ("train2017", "train")  # COCO, ImageNet
_VALIDATION_FOLDERS = ("val2017", "val")


class Container(Protocol):
    """Files that hold many images each, and perhaps their regions; it may be handed to forked processes."""

    def open(self, name: str) -> BinaryIO:
        """Open the encoded image of this name, to be read from its beginning."""
        ...

    def regions(self, name: str) -> LabelRuns:
        """Read the regions that stand beside an image.

        Raises:
            ValueError: There are none, or they are damaged.
        """
        ...


class ImageSet(NamedTuple):
    """Images under one folder: a file each, or together in a container's files."""

    root: Path
    """The folder."""
    names: tuple[str, ...]
    """Sorted; of files their paths relative to the folder, with forward slashes."""
    container: Container | None = None
    """What holds the images; None where each is a file."""

    def open(self, name: str) -> BinaryIO:
        """Open an encoded image.

        Raises:
            OSError: It is missing or cannot be read.
        """
        return (self.root / name).open("rb") if self.container is None else self.container.open(name)


def list_images(root: Path, subsets: tuple[str, ...] = ()) -> ImageSet:
    """Find the images to train on, in sub-folders too.

    Hidden files and folders are left out. Links to folders are followed, but not back to a folder they stand in.

    Args:
        root: Folder of the data set.
        subsets: Sub-folders to take; none given = `train2017` (COCO) or `train` (ImageNet) if there is one, or else
            everything.

    Returns:
        At least one image; the same folder gives the same order on any machine.

    Raises:
        ValueError: The folder or a subset does not exist, or holds no image.
    """
    if not root.exists():
        raise ValueError(f"the data folder {root} does not exist")
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the folder that holds the images")
    for subset in subsets:
        if not (root / subset).is_dir():
            raise ValueError(f"{root} has no sub-folder {subset!r}; it has {_folders_in_words(root)}")
    if not subsets:
        subsets = tuple(name for name in _TRAINING_FOLDERS if (root / name).is_dir())[:1]
    names = {name for subset in subsets or (".",) for name in _image_names(root, subset)}
    if not names:
        where = " or ".join(str(root / subset) for subset in subsets) or str(root)
        raise ValueError(f"there is no image in {where}; images are files ending in {' '.join(SUFFIXES)}")
    return ImageSet(root, tuple(sorted(names)))


def split_images(root: Path | None, data: DataConfig, *, seed: int) -> tuple[ImageSet, ImageSet]:
    """Find the images to train on and the pictures held out for the report; no image is in both.

    Args:
        root: Folder of the data set, or None for the photographs that come with scikit-image.
        data: Which sub-folders to train on and how many pictures to hold out. They come from `val2017` or `val`
            where there is one that is not trained on, or else from the training images: at most a tenth of those, but
            one if there are two.
        seed: Which pictures are held out depends on it.

    Returns:
        The images to train on, and the held-out pictures, `data.held_out` at most.

    Raises:
        ValueError: As `list_images`.
    """
    if root is None:
        if data.subsets:
            raise ValueError(f"subsets {data.subsets} are sub-folders of your data, but no data folder is given")
        folder = photographs_folder()
        return ImageSet(folder, TRAINING), ImageSet(folder, HELD_OUT[: data.held_out])
    images = list_images(root, data.subsets)
    for folder_name in _VALIDATION_FOLDERS:
        trained_on = any(name.startswith(f"{folder_name}/") for name in images.names)
        if not trained_on and (root / folder_name).is_dir():
            validation = sorted(_image_names(root, folder_name))
            if validation:
                return images, ImageSet(root, _choose(validation, data.held_out, seed))
    num_images = len(images.names)
    num_held_out = min(data.held_out, max(1, num_images // 10)) if num_images > 1 else 0
    held_out = _choose(images.names, num_held_out, seed)
    remaining = set(images.names).difference(held_out)
    return ImageSet(root, tuple(sorted(remaining))), ImageSet(root, held_out)


def _choose(names: tuple[str, ...] | list[str], number: int, seed: int) -> tuple[str, ...]:
    order = np.random.default_rng(seed).permutation(len(names))
    return tuple(sorted(names[i] for i in order[:number]))


def _image_names(root: Path, folder: str) -> Iterator[str]:
    """Names relative to root of the images in one of its sub-folders, or in itself for "."."""
    start = root / folder
    prefix = "" if start == root else f"{start.relative_to(root).as_posix()}/"
    yield from _walk(start, prefix, frozenset({os.path.realpath(start)}))


def _walk(folder: Path, prefix: str, above: frozenset[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in above:
                    yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", above | {real})
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                yield f"{prefix}{entry.name}"


def _folders_in_words(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        return "no sub-folders"
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
