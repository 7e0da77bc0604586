"""Panoptic annotations of COCO's form as regions."""

import warnings
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rmae.files import FileToDecode
from rmae.quoting import kind_and_message
from rmae.regions.segment_table import SegmentTable, read_segments
from rmae.regions.source import NO_REGION


@dataclass(frozen=True, kw_only=True)
class CocoPanoptic:
    """Annotated objects and backgrounds, looked up in a panoptic file of COCO's form and its PNGs; none overlap."""

    annotations: str
    """The JSON file; it must list every image, and each once."""
    folder: str | None = None
    """Folder of the PNGs; None = the path of the JSON file without `.json`."""
    crowds: bool = False
    """Keep segments that stand for a crowd (iscrowd 1)."""
    kind: Literal["coco-panoptic"] = "coco-panoptic"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        if self.folder is None and not self.annotations.endswith(".json"):
            raise ValueError(f"annotations {self.annotations!r} does not end in .json; give the folder of the PNGs too")

    def prepare(self) -> None:
        """Read the JSON file, which takes seconds for COCO; processes that are forked afterwards share what was read.

        Raises:
            ValueError: The file cannot be read or is not of this form.
        """
        _ = self._table

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Look up the segments of an image; the first call reads the JSON file.

        Args:
            image: Shape (H, W, M); only its size is used.
            name: Path of the image relative to the image root; the file may list it under a trailing part of it.

        Returns:
            Label maps, shape (1, H, W) int32: label i is the i-th segment that is kept, in the order of the file.
            Nothing annotated and crowds left out are `NO_REGION`; shape (0, H, W) where all of the image is.

        Raises:
            ValueError: The image is not listed, or with another size, or its annotation or PNG is missing or malformed;
                or as `prepare`.
        """
        height, width = image.shape[:2]
        table = self._table
        row = table.images.find(name, (height, width), self.annotations)
        file_name = table.file_names[row]
        if file_name is None:
            raise ValueError(f"{self.annotations} has no annotation of {name}, although it lists the image")
        segments = slice(table.first_segments[row], table.first_segments[row + 1])
        is_left_out = table.is_crowd[segments] & (not self.crowds)
        labels = np.where(is_left_out, NO_REGION, np.cumsum(~is_left_out) - 1)
        folder = self.annotations.removesuffix(".json") if self.folder is None else self.folder
        path = Path(folder) / file_name
        pixel_ids = read_segment_ids(path, height, width)
        label_map = label_segments(pixel_ids, table.ids[segments], labels, path)
        return label_map[None] if (label_map != NO_REGION).any() else np.empty((0, height, width), dtype=np.int32)

    @cached_property
    def _table(self) -> SegmentTable:
        return read_segments(self.annotations)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # what was read is read again


def label_segments(pixel_ids: np.ndarray, segment_ids: np.ndarray, labels: np.ndarray, path: Path) -> np.ndarray:
    """Turn the segments of pixels into labels.

    Args:
        pixel_ids: Segment id of every pixel, 0 where nothing is annotated; shape (H, W).
        segment_ids: Those that there may be, shape (N,).
        labels: The label of each, shape (N,).
        path: Where the pixels come from, for the error.

    Returns:
        Shape (H, W) int32; `NO_REGION` where nothing is annotated.

    Raises:
        ValueError: A pixel belongs to another segment.
    """
    ids = np.concatenate([[0], segment_ids])  # 0 = nothing annotated
    order = np.argsort(ids)
    places = np.minimum(np.searchsorted(ids[order], pixel_ids), len(ids) - 1)
    unknown = ids[order][places] != pixel_ids
    if unknown.any():
        raise ValueError(
            f"{path} holds the segment {pixel_ids[unknown][0]}, which the JSON file does not list for this image"
        )
    return np.concatenate([[NO_REGION], labels])[order][places].astype(np.int32)


def read_segment_ids(path: Path, height: int, width: int) -> np.ndarray:
    """Read the segment id of every pixel from a PNG: red + 256 green + 65536 blue.

    Args:
        path: The PNG.
        height: What it must have, in pixels.
        width: What it must have, in pixels.

    Returns:
        Shape (H, W) int64.

    Raises:
        ValueError: It is missing, damaged, or of another size or mode.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        # Pillow warns of sizes that are refused below.
        with warnings.catch_warnings(), FileToDecode(path) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=("PNG",)) as image:
                mode, size = image.mode, image.size
                pixels = np.asarray(image) if mode == "RGB" and size == (width, height) else None
    except MemoryError:
        raise
    except FileNotFoundError:
        raise ValueError(f"the segments of this image are missing: there is no {path}") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a PNG file") from None
    except Exception as error:  # Pillow has no common base of what a malformed file makes it raise
        raise ValueError(f"{path} cannot be decoded ({kind_and_message(error)})") from error
    if pixels is None:
        raise ValueError(
            f"{path} has {size[1]} x {size[0]} pixels of mode {mode}; it must have {height} x {width}, as its image, "
            "of mode RGB"
        )
    return pixels @ np.array([1, 256, 65536])
