"""A data set of annotated objects: of its part for validation alone."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.objects.annotations import Category
from rmae.evaluation.objects.pictures import Part, open_validation


class LocalisationData(NamedTuple):
    """Pictures and their objects."""

    root: Path
    """Folder of the data set."""
    part: Part
    """The part for validation."""
    categories: tuple[Category, ...]
    """By ascending id; label i stands for the (i - 1)-th."""

    def rows(self) -> np.ndarray:
        """Pictures with an object that counts; shape (n,) int64, ascending."""
        return np.flatnonzero(self.part.objects.counts_by_picture())

    def fingerprint(self) -> str:
        """Digest of the pictures and of which objects there are: an evaluation that goes on needs the same."""
        return self.part.fingerprint()


def open_data(config: LocaliseConfig, root: Path) -> LocalisationData:
    """Find pictures and read annotations.

    Args:
        config: The layout.
        root: Folder of the data set. COCO: `val2017/` and `annotations/instances_val2017.json`; LVIS: COCO's folders of
            pictures with `annotations/lvis_v1_val.json`.

    Raises:
        ValueError: There is no such folder or file, the file is not of this form, a picture is missing, or there is no
            object.
    """
    part, categories = open_validation(root, config.layout)
    data = LocalisationData(root, part, categories)
    if not len(data.rows()):
        raise ValueError(f"there is no object to look at in {part.objects.file}")
    return data
