"""Labels from panoptic annotations of COCO's form: the categories of segments as classes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage
from rmae.evaluation.segmentation.labels import IGNORED, LABEL_DTYPE
from rmae.quoting import quoted
from rmae.regions.coco_panoptic import label_segments, read_segment_ids
from rmae.regions.segment_table import NO_CATEGORY, SegmentTable, read_segments


@dataclass(frozen=True, kw_only=True, eq=False)
class PanopticLabels:
    """Labels of the pictures that a panoptic file lists; crowds and pixels of no segment are ignored."""

    annotations: Path
    """The JSON file; the PNGs are in the folder of its name without suffix, one above or beside it."""
    folder: Path
    """Folder of the PNGs."""
    table: SegmentTable = field(repr=False)
    """The segments in the file."""
    classes: np.ndarray
    """Class of each segment in the table, `IGNORED` for crowds; shape (T,) int64."""

    def __call__(self, name: str, image_hw: tuple[int, int]) -> np.ndarray:
        """Read the labels of a picture, as `LabelReader` says."""
        table = self.table
        try:
            row = table.images.find(name, image_hw, str(self.annotations))
            file_name = table.file_names[row]
            if file_name is None:
                raise ValueError(f"{self.annotations} has no annotation of it")
            path = self.folder / file_name
            segments = slice(table.first_segments[row], table.first_segments[row + 1])
            ids = read_segment_ids(path, *image_hw)
            labels = label_segments(ids, table.ids[segments], self.classes[segments], path)
        except ValueError as error:
            raise UnreadableImage(f"its labels cannot be had: {error}") from error
        return labels.astype(LABEL_DTYPE)


def read_categories(path: Path) -> dict[int, str]:
    """Read the categories of a panoptic file.

    Args:
        path: The JSON file.

    Returns:
        Names by id, sorted by id.

    Raises:
        ValueError: The file cannot be read, or has no list of categories with ids and names, each id once.
    """

    def leave_out_segments(found: dict[str, Any]) -> dict[str, Any] | None:
        return None if "segments_info" in found or "category_id" in found else found

    try:
        content = json.loads(path.read_bytes(), object_hook=leave_out_segments)
    except OSError as error:
        raise ValueError(f"the annotations {path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not an annotation file in COCO's form: {error}") from error
    entries = content.get("categories") if isinstance(content, dict) else None
    names: dict[int, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case {"id": int(id_), "name": str(name)} if 0 <= id_ < 2**31 and id_ not in names:
                names[id_] = name
            case _:
                raise ValueError(
                    f"{path} has a category without an id of its own (from 0 to 2147483647) and a name: {quoted(entry)}"
                )
    if not names:
        raise ValueError(f"{path} has no list of categories; it must name those of its segments")
    return dict(sorted(names.items()))


def read_panoptic(annotations: Path, folder: Path, categories: Mapping[int, str]) -> PanopticLabels:
    """Read a panoptic file.

    Args:
        annotations: The JSON file.
        folder: Folder of its PNGs.
        categories: Names by id, sorted by id; their places are the classes.

    Returns:
        The labels of its pictures.

    Raises:
        ValueError: The file cannot be read or is malformed, or a segment has a category that is not listed.
    """
    table = read_segments(str(annotations))
    ids = np.array(list(categories), np.int64)
    places = np.minimum(np.searchsorted(ids, table.categories), len(ids) - 1)
    unknown = ids[places] != table.categories
    if unknown.any():
        category = int(table.categories[unknown][0])
        which = "without a category_id" if category == NO_CATEGORY else f"of the category {category}"
        raise ValueError(
            f"{annotations} has a segment {which}; its categories must be among the {len(ids):,} that the file for "
            "validation lists"
        )
    return PanopticLabels(
        annotations=annotations, folder=folder, table=table, classes=np.where(table.is_crowd, IGNORED, places)
    )


def check_listed(images: ImageSet, labels: PanopticLabels) -> None:
    """Raise a ValueError if there is a picture without annotation, or an annotation without a picture."""
    rows = labels.table.images.rows
    there = {Path(name).name for name in images.names}
    annotated = {Path(name).name for name, row in rows.items() if labels.table.file_names[row] is not None}
    for found, sentence in (
        (there - annotated, "has no annotation of {}, although the picture is in {}"),
        (annotated - there, "has an annotation of {}, but there is no such picture in {}"),
    ):
        if found:
            first, more = min(found), f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
            folder = images.root / Path(images.names[0]).parts[0]
            raise ValueError(f"{labels.annotations} {sentence.format(first, folder)}{more}; give both or neither")
