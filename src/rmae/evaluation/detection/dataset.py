"""A data set for detection: pictures and annotated objects, in COCO's or LVIS's layout."""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from rmae.config.detection import DetectConfig
from rmae.data.image_set import ImageSet
from rmae.evaluation.detection.annotations import Category, ObjectTable, read_objects

_ANNOTATIONS = {"coco": "annotations/instances_{}2017.json", "lvis": "annotations/lvis_v1_{}.json"}


class Part(NamedTuple):
    """Pictures and their objects."""

    images: ImageSet
    """The pictures, in the order of the annotation file."""
    objects: ObjectTable
    """Their objects."""

    def describe_faults(self) -> str:
        """How many objects are left out and why; nothing where none is."""
        number = sum(self.objects.faults.values())
        if not number:
            return ""
        found = ", ".join(f"{count} {fault}" for fault, count in self.objects.faults.items())
        noun = "object is" if number == 1 else "objects are"
        return f"{number} {noun} left out of {Path(self.objects.file).name}: {found}"


class DetectionData(NamedTuple):
    """What a detector is trained and evaluated on."""

    root: Path
    """Folder of the data set."""
    train: Part
    val: Part
    categories: tuple[Category, ...]
    """By ascending id; label i stands for the (i - 1)-th."""
    train_rows: np.ndarray
    """Which pictures of `train` are trained on; shape (n,) int64."""
    is_lvis: bool
    """Whether only some categories are annotated in each picture."""

    def fingerprint(self) -> str:
        """Digest of the training pictures, their objects and the categories: a run that goes on needs the same."""
        table = self.train.objects.table
        digest = hashlib.sha256(self.train.images.fingerprint().encode())
        for numbers in (self.train_rows, table.first_instances, self.train.objects.labels):
            digest.update(np.ascontiguousarray(numbers, dtype=np.int64).tobytes())
        digest.update(repr(self.categories).encode("utf-8", "surrogateescape"))
        return f"{len(self.train_rows)} pictures, {len(self.categories)} categories, sha256 {digest.hexdigest()[:16]}"


def open_data(config: DetectConfig, root: Path) -> DetectionData:
    """Find pictures and read annotations.

    Args:
        config: The layout, and whether pictures without objects are trained on.
        root: Folder of the data set. COCO: `train2017/`, `val2017/`, `annotations/instances_train2017.json` and
            `instances_val2017.json`; LVIS: COCO's folders of pictures with `annotations/lvis_v1_train.json` and
            `lvis_v1_val.json`.

    Raises:
        ValueError: A file is missing or not of this form, or there is nothing to train or to evaluate on. Missing
            pictures of the training part are left to the training, which skips and lists them.
    """
    if not root.is_dir():
        raise ValueError(f"the data folder {root} does not exist")
    (train, categories), (val, val_categories) = (_read_part(config, root, part) for part in ("train", "val"))
    if [(one.id, one.name) for one in categories] != [(one.id, one.name) for one in val_categories]:
        raise ValueError(
            f"{train.objects.file} and {val.objects.file} list other categories; give both the same ids and names"
        )
    _check_pictures(train, all_needed=False)
    _check_pictures(val, all_needed=True)
    counts = train.objects.counts_by_picture()
    rows = np.arange(len(counts)) if config.empty_pictures else np.flatnonzero(counts)
    if not counts.any():
        raise ValueError(f"there is no object to train on in {train.objects.file}")
    if not val.objects.counts_by_picture().any():
        raise ValueError(f"there is no object to evaluate on in {val.objects.file}")
    return DetectionData(root, train, val, categories, rows, config.layout == "lvis")


def _read_part(config: DetectConfig, root: Path, part: str) -> tuple[Part, tuple[Category, ...]]:
    path = root / _ANNOTATIONS[config.layout].format(part)
    if not path.is_file():
        needed = "; ".join(
            f"{layout} needs {file.format('train')} and {file.format('val')}" for layout, file in _ANNOTATIONS.items()
        )
        raise ValueError(f"there is no {path}, which the layout {config.layout} needs ({needed}; choose with --layout)")
    objects, categories = read_objects(path)
    if not objects.names:
        raise ValueError(f"{path} lists no picture")
    folder = root / f"{part}2017"
    # LVIS names pictures by folder and file, as others do too; COCO by file alone.
    in_folder = config.layout == "coco" and (
        (folder / objects.names[0]).exists() or not (root / objects.names[0]).exists()
    )
    return Part(ImageSet(folder if in_folder else root, objects.names), objects), categories


def _check_pictures(part: Part, *, all_needed: bool) -> None:
    """Look which pictures there are, without opening them."""
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
            f"first is {missing[0]}; bring them there, or leave them out of the file"
        )
