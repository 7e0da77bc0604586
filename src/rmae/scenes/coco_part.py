"""One part of a data set in COCO's layout: pictures of scenes, and what is in them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from rmae.files import naming, write_encoded
from rmae.scenes.scene import MOST_OBJECTS, Scene
from rmae.scenes.scene_set import Split

_SEGMENT_COLOURS = np.array(
    [[230, 85, 60], [70, 150, 215], [90, 180, 90], [240, 190, 60], [160, 105, 200], [70, 75, 85]], dtype=np.uint8
)
"""What objects, and at the end the ground, are coloured in panoptic PNGs; their colours are their ids."""
assert len(_SEGMENT_COLOURS) == MOST_OBJECTS + 1

_GROUND_LABEL = 255
_PALETTE = bytes(3 * _GROUND_LABEL - _SEGMENT_COLOURS[:-1].size).join(
    [_SEGMENT_COLOURS[:-1].tobytes(), _SEGMENT_COLOURS[-1].tobytes()]
)
"""Red, green and blue of 256 labels, of which the last one is the ground's."""
_SEGMENT_IDS = (_SEGMENT_COLOURS @ np.array([1, 256, 65536])).tolist()


class SceneEntries(NamedTuple):
    """What the annotations say of one scene."""

    image: dict[str, Any]
    """Its picture."""
    instances: list[dict[str, Any]]
    """Its objects, the lowest first."""
    panoptic: dict[str, Any]
    """Its segments: the same objects, and the ground if any of it can be seen."""


@dataclass(frozen=True, kw_only=True)
class CocoPart:
    """Writes the pictures and the annotations of one part of a data set."""

    folder: Path
    """Of the data set."""
    split: Split
    """Which part."""
    classes: tuple[str, ...]
    """Their ids are 1, 2, ... in this order; that of the ground is the next one. At most 255."""
    is_jpeg: bool
    """Whether pictures are JPEGs of high quality, which are written fast; otherwise PNGs."""
    compress_level: int
    """Of all PNGs, 0 to 9."""

    def make_folders(self) -> None:
        """Make the folders of pictures and annotations."""
        for name in (f"{self.split}2017", f"panoptic_{self.split}2017", f"semantic_{self.split}2017"):
            (self.folder / name).mkdir()
        (self.folder / "annotations").mkdir(exist_ok=True)

    def write_scene(self, number: int, scene: Scene) -> SceneEntries:
        """Write a scene's picture, its panoptic and its semantic PNG.

        Args:
            number: At least 1; files are called by it, and all ids follow from it.
            scene: With at most `MOST_OBJECTS` objects, of which each can be seen.

        Returns:
            What is in it, for `write_annotations`.
        """
        name, truth = f"{number:012d}{'.jpg' if self.is_jpeg else '.png'}", f"{number:012d}.png"
        save_picture(scene.image, self.folder / f"{self.split}2017" / name, compress_level=self.compress_level)
        labels = scene.label_map.astype(np.uint8)  # the ground, -1, becomes 255
        segments = Image.fromarray(labels)
        segments.putpalette(_PALETTE)
        panoptic, semantic = (self.folder / f"{kind}_{self.split}2017" / truth for kind in ("panoptic", "semantic"))
        as_png = {"format": "PNG", "compress_level": self.compress_level}
        write_encoded(panoptic, lambda file: segments.convert("RGB").save(file, **as_png))
        categories = np.zeros(256, dtype=np.uint8)
        categories[: len(scene.classes)] = 1 + scene.classes
        write_encoded(semantic, lambda file: Image.fromarray(categories[labels]).save(file, **as_png))
        height, width = scene.label_map.shape
        instances, ground = self._outline(labels, scene.classes.tolist(), number)
        shared = ("category_id", "iscrowd", "area", "bbox")
        segments_info = [
            {"id": id_, **{key: thing[key] for key in shared}}
            for id_, thing in zip(_SEGMENT_IDS, instances, strict=False)
        ]
        if ground["area"]:
            segments_info.append({"id": _SEGMENT_IDS[-1], **{key: ground[key] for key in shared}})
        return SceneEntries(
            image={"id": number, "file_name": name, "height": height, "width": width},
            instances=instances,
            panoptic={"image_id": number, "file_name": truth, "segments_info": segments_info},
        )

    def write_annotations(self, entries: Iterable[SceneEntries], info: dict[str, Any], *, supercategory: str) -> None:
        """Write what is in all scenes.

        Args:
            entries: What `write_scene` returned, in the order of the scenes.
            info: What both files say of themselves.
            supercategory: Of all classes but the ground.
        """
        entries = list(entries)
        head = {"info": info, "licenses": [], "images": [entry.image for entry in entries]}
        things = [{"id": 1 + i, "name": name, "supercategory": supercategory} for i, name in enumerate(self.classes)]
        ground = {"id": 1 + len(self.classes), "name": "ground", "supercategory": "ground", "isthing": 0}
        everything = [*({**thing, "isthing": 1} for thing in things), ground]
        instances = [instance for entry in entries for instance in entry.instances]
        panoptic = [entry.panoptic for entry in entries]
        for kind, annotations, categories in (("instances", instances, things), ("panoptic", panoptic, everything)):
            content = {**head, "annotations": annotations, "categories": categories}
            file = self.folder / "annotations" / f"{kind}_{self.split}2017.json"
            with naming(file):
                file.write_text(json.dumps(content))

    def _outline(
        self, labels: np.ndarray, classes: Sequence[int], number: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Objects of a scene as COCO lists them, and the ground in the same way."""
        from pycocotools import mask

        places = np.array([*range(len(classes)), _GROUND_LABEL], dtype=np.uint8)
        # pycocotools goes down the columns, so those are put together in memory.
        stacked = np.asfortranarray((labels.T[None] == places[:, None, None]).view(np.uint8).T)
        runs: Any = mask.encode(stacked)  # a list, since it is a stack, which its types do not say
        areas: list[int] = np.asarray(mask.area(runs)).tolist()
        boxes: list[list[float]] = np.asarray(mask.toBbox(runs)).tolist()
        outlined: list[dict[str, Any]] = []
        for label, (class_, area, box) in enumerate(zip([*classes, len(self.classes)], areas, boxes, strict=True)):
            outlined.append(
                {
                    "id": number * 10 + label,
                    "image_id": number,
                    "category_id": 1 + class_,
                    "iscrowd": 0,
                    "area": area,
                    "bbox": box,
                    "segmentation": {"size": list(labels.shape), "counts": runs[label]["counts"].decode()},
                }
            )
        return outlined[:-1], outlined[-1]


def save_picture(image: np.ndarray, path: Path, *, compress_level: int = 6) -> None:
    """Write a picture (H, W, 3) uint8 as the JPEG or PNG that its suffix says.

    A JPEG keeps all of its colour, and nearly all of its detail; `compress_level` is that of a PNG, 0 to 9.
    """
    if path.suffix == ".jpg":
        options = {"format": "JPEG", "quality": 95, "subsampling": 0}
    else:
        options = {"format": "PNG", "compress_level": compress_level}
    write_encoded(path, lambda file: Image.fromarray(image).save(file, **options))
