"""A data set for detection: pictures and annotated objects, in COCO's or LVIS's layout."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmae.config.detection import DetectConfig
from rmae.evaluation.objects.annotations import Category
from rmae.evaluation.objects.pictures import Part, check_pictures, read_part


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
    train, categories = read_part(root, config.layout, "train")
    val, val_categories = read_part(root, config.layout, "val")
    if [(one.id, one.name) for one in categories] != [(one.id, one.name) for one in val_categories]:
        raise ValueError(
            f"{train.objects.file} and {val.objects.file} list other categories; give both the same ids and names"
        )
    check_pictures(train, all_needed=False)
    check_pictures(val, all_needed=True)
    counts = train.objects.counts_by_picture()
    rows = np.arange(len(counts)) if config.empty_pictures else np.flatnonzero(counts)
    if not counts.any():
        raise ValueError(f"there is no object to train on in {train.objects.file}")
    if not val.objects.counts_by_picture().any():
        raise ValueError(f"there is no object to evaluate on in {val.objects.file}")
    return DetectionData(root, train, val, categories, rows, config.layout == "lvis")
