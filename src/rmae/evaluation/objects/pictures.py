"""One part of a data set of annotated objects: its pictures and what is annotated on them."""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np

from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage
from rmae.evaluation.objects.annotations import Category, ObjectTable, read_objects
from rmae.quoting import one_line

Layout = Literal["coco", "lvis"]
"""Whose names the files carry."""
PartName = Literal["train", "val"]

_ANNOTATIONS = {"coco": "annotations/instances_{}2017.json", "lvis": "annotations/lvis_v1_{}.json"}


class Part(NamedTuple):
    """Pictures and their objects."""

    images: ImageSet
    """The pictures, in the order of the annotation file."""
    objects: ObjectTable
    """Their objects."""

    def fingerprint(self) -> str:
        """Digest of the pictures and of which objects there are."""
        objects = self.objects
        digest = hashlib.sha256(self.images.fingerprint().encode())
        for numbers in (objects.table.first_instances, objects.labels, objects.is_counted()):
            digest.update(np.ascontiguousarray(numbers, dtype=np.int64).tobytes())
        return f"{len(self.images.names)} pictures, {len(objects.labels)} objects, sha256 {digest.hexdigest()[:16]}"

    def describe_faults(self) -> str:
        """How many objects are left out and why; nothing where none is."""
        number = sum(self.objects.faults.values())
        if not number:
            return ""
        found = ", ".join(f"{count} {fault}" for fault, count in self.objects.faults.items())
        noun = "object is" if number == 1 else "objects are"
        return f"{number} {noun} left out of {Path(self.objects.file).name}: {found}"


def read_part(root: Path, layout: Layout, part: PartName) -> tuple[Part, tuple[Category, ...]]:
    """Read the annotations of a part; its pictures are looked for by `check_pictures`.

    Args:
        root: Folder of the data set. COCO: `train2017/`, `val2017/`, `annotations/instances_train2017.json` and
            `instances_val2017.json`; LVIS: COCO's folders of pictures with `annotations/lvis_v1_train.json` and
            `lvis_v1_val.json`.
        layout: Which of the two.
        part: Which part.

    Returns:
        The part, and its categories by ascending id.

    Raises:
        ValueError: The file is missing, is not of this form, or lists no picture.
    """
    path = root / _ANNOTATIONS[layout].format(part)
    if not path.is_file():
        needed = "; ".join(
            f"{layout} needs {file.format('train')} and {file.format('val')}" for layout, file in _ANNOTATIONS.items()
        )
        raise ValueError(f"there is no {path}, which the layout {layout} needs ({needed}; choose with --layout)")
    objects, categories = read_objects(path)
    if not objects.names:
        raise ValueError(f"{path} lists no picture")
    folder = root / f"{part}2017"
    # LVIS names pictures by folder and file, as others do too; COCO by file alone.
    in_folder = layout == "coco" and ((folder / objects.names[0]).exists() or not (root / objects.names[0]).exists())
    return Part(ImageSet(folder if in_folder else root, objects.names), objects), categories


def check_pictures(part: Part, *, all_needed: bool) -> None:
    """Look which pictures there are, without opening them.

    Raises:
        ValueError: None of them is there, or, where all are needed, one is missing.
    """
    root, names = part.images.root, part.images.names
    there: set[str] = set()
    for folder in {str(PurePosixPath(name).parent) for name in names}:
        if (root / folder).is_dir():
            prefix = "" if folder == "." else f"{folder}/"
            there.update(f"{prefix}{file}" for file in os.listdir(root / folder))
    missing = [name for name in names if name not in there]
    if missing and (all_needed or len(missing) == len(names)):
        raise ValueError(
            f"{len(missing)} of the {len(names)} pictures that {part.objects.file} lists are missing in {root}, the "
            f"first is {one_line(missing[0], longest=100)}; bring them there, or leave them out of the file"
        )


def open_validation(root: Path, layout: Layout) -> tuple[Part, tuple[Category, ...]]:
    """Read the annotations of the part for validation, all of whose pictures have to be there.

    Args:
        root: Folder of the data set, as `read_part` takes it.
        layout: Which of the two.

    Returns:
        The part, and its categories by ascending id.

    Raises:
        ValueError: The folder or the file is missing, the file is not of this form, or a picture is missing.
    """
    if not root.is_dir():
        raise ValueError(f"the data folder {root} does not exist")
    part, categories = read_part(root, layout, "val")
    check_pictures(part, all_needed=True)
    return part, categories


def read_picture(part: Part, row: int, *, max_pixels: int) -> np.ndarray:
    """Read a picture, shape (H, W, 3) uint8; 16 bits, as TIFF has them, become 8.

    Raises:
        UnreadableImage: It cannot be read, or is not of the size that the annotations were made on.
    """
    name = part.images.names[row]
    image = part.images.read(name, channels=3, max_pixels=max_pixels)
    listed = tuple(part.objects.table.images.sizes_hw[row].tolist())
    if image.shape[:2] != listed:
        raise UnreadableImage(
            f"it has {image.shape[0]} x {image.shape[1]} pixels (height x width), but {listed[0]} x {listed[1]} in "
            f"{part.objects.file}"
        )
    return image if image.dtype == np.uint8 else np.rint(image / 257).astype(np.uint8)


def read_evaluated_picture(part: Part, row: int, *, max_pixels: int) -> np.ndarray:
    """As `read_picture`, for pictures of which none may be left out: scores of the others would be of other data.

    Raises:
        ValueError: The picture cannot be read; the sentence names it and says how to go on.
    """
    try:
        return read_picture(part, row, max_pixels=max_pixels)
    except UnreadableImage as error:
        raise ValueError(
            f"{part.images.names[row]} cannot be evaluated: {error}; mend it and go on with --resume"
        ) from error
