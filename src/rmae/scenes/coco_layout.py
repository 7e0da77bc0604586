"""Scenes in COCO's layout: pictures, instances, panoptic segments."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from rmae.scenes.new_folder import new_folder
from rmae.scenes.scene import GROUND, MOST_OBJECTS, Scene, draw_scene
from rmae.scenes.scene_set import DRAWING_VERSION, SPLITS, SceneSet, Split
from rmae.scenes.shapes import SHAPES

GROUND_CATEGORY = len(SHAPES) + 1
"""Category id of the ground; those of the shapes are 1, 2, ... in the order of `SHAPES`."""

_SEGMENT_COLOURS = np.array(
    [[230, 85, 60], [70, 150, 215], [90, 180, 90], [240, 190, 60], [160, 105, 200], [70, 75, 85]], dtype=np.uint8
)
"""What objects, and at the end the ground, are coloured in panoptic PNGs; their colours are their ids."""
assert len(_SEGMENT_COLOURS) == MOST_OBJECTS + 1

_SEGMENT_IDS = _SEGMENT_COLOURS @ np.array([1, 256, 65536])


def make_scenes(
    out: str | Path,
    *,
    num_train: int = 400,
    num_val: int = 100,
    size_hw: tuple[int, int] = (128, 128),
    seed: int = 0,
    by_shape_alone: bool = False,
) -> Path:
    """Draw scenes of discs, squares and triangles over textured grounds, and write them in COCO's layout.

    The masks are exact: a pixel is an object's where its centre lies in the object's shape and in that of no object
    above it. A scene depends on size, seed, split and index alone, so that a larger data set begins with the scenes of
    a smaller one. The same arguments give the same bytes.

    Args:
        out: Folder to write, new or empty. It gets `train2017/*.png` and `val2017/*.png`; `annotations/` with
            `instances_{train,val}2017.json` (masks as compressed run lengths; categories 1 disc, 2 square, 3 triangle)
            and `panoptic_{train,val}2017.json` (also 4 ground, which is no thing); `panoptic_{train,val}2017/*.png`
            with the segment ids. It appears when all of it is written.
        num_train: Scenes to train on, 1 to 1,000,000.
        num_val: Scenes to validate on, 1 to 1,000,000.
        size_hw: Height and width in pixels, at least 32 each.
        seed: At least 0.
        by_shape_alone: Whether colours do not depend on the class. Otherwise discs are reddish, squares bluish and
            triangles greenish, as things of a kind often look alike; that is learned much faster.

    Returns:
        The folder, as an absolute path.

    Raises:
        ValueError: A number is out of its range, or the folder is a file or not empty.

    Example:
        >>> import rmae
        >>> rmae.make_scenes("shapes", num_train=40, num_val=10)  # doctest: +SKIP
    """
    scenes = SceneSet(num_train=num_train, num_val=num_val, size_hw=size_hw, seed=seed, by_shape_alone=by_shape_alone)
    out = Path(out).resolve()
    with new_folder(out) as folder:
        (folder / "annotations").mkdir()
        for split in SPLITS:
            _write_split(folder, scenes, split)
    return out


def _write_split(folder: Path, scenes: SceneSet, split: Split) -> None:
    pictures, segments = folder / f"{split}2017", folder / f"panoptic_{split}2017"
    pictures.mkdir()
    segments.mkdir()
    instances: list[dict[str, Any]] = []
    panoptic: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    height, width = scenes.size_hw
    for index in range(scenes.num(split)):
        number = scenes.number(split, index)
        name = f"{number:012d}.png"
        scene = draw_scene(scenes.size_hw, scenes.generator(split, index), by_shape_alone=scenes.by_shape_alone)
        Image.fromarray(scene.image).save(pictures / name)
        Image.fromarray(_SEGMENT_COLOURS[scene.label_map]).save(segments / name)  # GROUND = -1 takes the last colour
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        objects = _objects(scene, number)
        instances += objects
        panoptic.append({"image_id": number, "file_name": name, "segments_info": _segments(scene, objects)})
    head = {"info": _info(scenes, split), "licenses": [], "images": images}
    things = [{"id": 1 + i, "name": name, "supercategory": "shape"} for i, name in enumerate(SHAPES)]
    ground = {"id": GROUND_CATEGORY, "name": "ground", "supercategory": "ground", "isthing": 0}
    everything = [*({**thing, "isthing": 1} for thing in things), ground]
    for kind, annotations, categories in (("instances", instances, things), ("panoptic", panoptic, everything)):
        content = {**head, "annotations": annotations, "categories": categories}
        (folder / "annotations" / f"{kind}_{split}2017.json").write_text(json.dumps(content))


def _objects(scene: Scene, image_id: int) -> list[dict[str, Any]]:
    """Instances of a scene in their order, as COCO lists them."""
    from pycocotools import mask

    objects: list[dict[str, Any]] = []
    for label, class_ in enumerate(scene.classes.tolist()):
        runs = mask.encode(np.asfortranarray(scene.label_map == label, dtype=np.uint8))
        counts = cast("bytes", runs["counts"])  # declared as str, which is the form it has in JSON
        objects.append(
            {
                "id": image_id * 10 + label,
                "image_id": image_id,
                "category_id": 1 + class_,
                "iscrowd": 0,
                "area": int(mask.area(runs)),
                "bbox": mask.toBbox(runs).tolist(),
                "segmentation": {"size": list(scene.label_map.shape), "counts": counts.decode()},
            }
        )
    return objects


def _segments(scene: Scene, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Segments of a scene, the ground last if any of it can be seen."""
    found = [
        {"id": int(id_), **{key: thing[key] for key in ("category_id", "iscrowd", "area", "bbox")}}
        for id_, thing in zip(_SEGMENT_IDS, objects, strict=False)
    ]
    rows, columns = np.nonzero(scene.label_map == GROUND)
    if len(rows):
        left, top = int(columns.min()), int(rows.min())
        box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        found.append(
            {
                "id": int(_SEGMENT_IDS[-1]),
                "category_id": GROUND_CATEGORY,
                "iscrowd": 0,
                "area": len(rows),
                "bbox": [float(value) for value in box],
            }
        )
    return found


def _info(scenes: SceneSet, split: Split) -> dict[str, Any]:
    return {
        "description": "drawn scenes of discs, squares and triangles with exact truth",
        "contributor": "rmae scenes",
        "version": str(DRAWING_VERSION),
        "seed": scenes.seed,
        "by_shape_alone": scenes.by_shape_alone,
        "split": split,
    }
