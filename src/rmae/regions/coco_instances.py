"""Instances of COCO annotation files as regions."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np

from rmae.quoting import quoted
from rmae.regions.coco_polygons import draw_polygons
from rmae.regions.instance_table import InstanceTable, RunLengths, read_instances
from rmae.regions.overlap import stack_masks
from rmae.regions.placed_mask import PlacedMask
from rmae.regions.rle import place_rle


@dataclass(frozen=True, kw_only=True)
class CocoInstances:
    """Annotated objects, looked up in instance files of COCO's form; regions may overlap."""

    annotations: tuple[str, ...]
    """The JSON files, at least one; together they must list every image, and each once."""
    crowds: bool = False
    """Keep annotations that stand for a crowd (iscrowd 1), whose masks are rough."""
    kind: Literal["coco-instances"] = "coco-instances"
    """Names this source in saved configurations."""

    def __post_init__(self) -> None:
        """Check the settings before any image is read."""
        if isinstance(self.annotations, str) or not self.annotations:
            raise ValueError(f"annotations is {self.annotations!r}; give a tuple of at least one JSON file")

    def prepare(self) -> None:
        """Read the files, which takes seconds for COCO; processes that are forked afterwards share what was read.

        Raises:
            ValueError: A file cannot be read or is not of this form, or an image is listed twice.
        """
        _ = self._table

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Look up the instances of an image; the first call reads the files.

        Args:
            image: Shape (H, W, M); only its size is used.
            name: Path of the image relative to the image root; the files may list it under a trailing part of it.

        Returns:
            Label maps, shape (S, H, W) int32, the instances in the order of the files; S = 0 for an image without.

        Raises:
            ValueError: The image is not listed, or with another size, or one of its segmentations is malformed; or as
                `prepare`.
        """
        height, width = image.shape[:2]
        where = ", ".join(self.annotations)
        row = self._table.images.find(name, (height, width), where)
        try:
            masks = [_draw(found, height, width) for found in self._table.segmentations(row)]
        except ValueError as error:
            raise ValueError(f"an instance of {name} in {where} cannot be used: {error}") from error
        return stack_masks(masks, height, width)

    @cached_property
    def _table(self) -> InstanceTable:
        return read_instances(self.annotations, crowds=self.crowds)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # what was read is read again


def _draw(segmentation: list[np.ndarray] | RunLengths, height: int, width: int) -> PlacedMask:
    if not isinstance(segmentation, RunLengths):
        return draw_polygons(segmentation, height, width)
    if segmentation.size != [height, width]:
        raise ValueError(f"a run-length mask has the size {quoted(segmentation.size)}, but the image {[height, width]}")
    return place_rle((height, width), segmentation.counts)
