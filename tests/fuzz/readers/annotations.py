"""Readers of annotations."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzz.byte_damage import damage_bytes
from fuzz.reader import Files, Reader, damaging, one_of
from fuzz.readers.regions import HEIGHT, IMAGE, WIDTH, check_label_maps, check_mask
from fuzz.sealed_damage import damage_png
from fuzz.tree_damage import damage_json
from rmae.data.images import UnreadableImage
from rmae.evaluation.objects.pictures import Layout, check_pictures, read_part
from rmae.evaluation.segmentation.class_names import read_class_names
from rmae.evaluation.segmentation.labels import IGNORED, LABEL_DTYPE
from rmae.evaluation.segmentation.panoptic_labels import read_categories, read_panoptic
from rmae.evaluation.segmentation.semantic_pngs import SemanticPngs
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic

_NAMES = ("a.jpg", "b/c.jpg")


def _instances(layout: Layout) -> dict[str, Any]:
    square, triangle = [1.0, 1.0, 6.0, 1.0, 6.0, 6.0, 1.0, 6.0], [3.5, 2.0, 12.0, 4.0, 7.0, 8.5]
    masks: list[Any] = [
        [square],
        [square, triangle],
        {"size": [HEIGHT, WIDTH], "counts": [7, 30, HEIGHT * WIDTH - 37]},
        {"size": [HEIGHT, WIDTH], "counts": "35n4"},
        [triangle],
    ]
    masks[3]["counts"] = _compressed([3, 5, HEIGHT * WIDTH - 8])
    annotations = [
        {"id": i, "image_id": 1 + i % 2, "category_id": 3 * (1 + i % 2), "segmentation": mask, "iscrowd": int(i == 2),
         "bbox": [1.0, 1.0, 5.0, 5.0], "area": 25.0}
        for i, mask in enumerate(masks)
    ]  # fmt: skip
    images: list[dict[str, Any]] = [
        {"id": i, "file_name": name, "height": HEIGHT, "width": WIDTH} for i, name in enumerate(_NAMES, start=1)
    ]
    categories: list[dict[str, Any]] = [{"id": 3, "name": "cat"}, {"id": 6, "name": "dog"}]
    if layout == "lvis":
        for image in images:
            image["coco_url"] = f"http://images.cocodataset.org/val2017/{image.pop('file_name').replace('/', '_')}"
            image |= {"neg_category_ids": [3], "not_exhaustive_category_ids": [6]}
        for category in categories:
            category["frequency"] = "r"
    return {"images": images, "annotations": annotations, "categories": categories}


def _compressed(runs: list[int]) -> str:
    from pycocotools import mask as coco_mask

    encoded: Any = coco_mask.frPyObjects({"size": [HEIGHT, WIDTH], "counts": runs}, HEIGHT, WIDTH)
    return encoded["counts"].decode()


def _make_instances(_: Path) -> list[Files]:
    return [{"a.json": json.dumps(_instances("coco")).encode()}]


def _read_instances(folder: Path) -> None:
    for crowds in (False, True):
        source = CocoInstances(annotations=(str(folder / "a.json"),), crowds=crowds)
        for name in _NAMES:
            check_label_maps(source(IMAGE, name))


def _make_objects(layout: Layout, file: str) -> list[Files]:
    return [{f"annotations/{file}": json.dumps(_instances(layout)).encode(), "val2017/a.jpg": b""}]


def _read_objects(folder: Path, layout: Layout) -> None:
    part, categories = read_part(folder, layout, "val")
    objects = part.objects
    assert objects.labels.min(initial=1) >= 1
    assert objects.labels.max(initial=1) <= len(categories)
    assert objects.boxes_xywh.shape == (len(objects.labels), 4)
    assert len(objects.areas) == len(objects.is_crowd) == len(objects.is_usable) == len(objects.labels)
    assert part.describe_faults().isprintable()
    part.fingerprint()
    check_pictures(part, all_needed=False)
    for row, (height, width) in enumerate(objects.table.images.sizes_hw.tolist()):
        if (height, width) == (HEIGHT, WIDTH):  # a picture of another size would be refused before
            for number, mask in objects.draw(row):
                assert objects.is_usable[number]
                check_mask(mask)


def _panoptic() -> dict[str, Any]:
    segments = [{"id": 1 + 300 * i, "category_id": 3 * (1 + i % 2), "iscrowd": int(i == 2)} for i in range(4)]
    annotations = [
        {"image_id": i, "file_name": f"{i}.png", "segments_info": segments} for i in range(1, 1 + len(_NAMES))
    ]
    return {**_instances("coco"), "annotations": annotations}


def _make_panoptic(_: Path) -> list[Files]:
    ids = np.random.default_rng(0).choice([0, 1, 301, 601, 901], (HEIGHT, WIDTH))
    buffer = io.BytesIO()
    Image.fromarray(np.stack([ids % 256, ids // 256, 0 * ids], axis=-1).astype(np.uint8)).save(buffer, "PNG")
    pictures = {f"panoptic/{number}.png": buffer.getvalue() for number in (1, 2)}
    return [{"panoptic.json": json.dumps(_panoptic()).encode(), **pictures}]


def _read_panoptic(folder: Path) -> None:
    for crowds in (False, True):
        source = CocoPanoptic(annotations=str(folder / "panoptic.json"), crowds=crowds)
        for name in _NAMES:
            check_label_maps(source(IMAGE, name))


def _read_panoptic_labels(folder: Path) -> None:
    categories = read_categories(folder / "panoptic.json")
    labels = read_panoptic(folder / "panoptic.json", folder / "panoptic", categories)
    for name in _NAMES:
        _check_labels(labels(name, (HEIGHT, WIDTH)), len(categories))


def _check_labels(labels: np.ndarray, num_classes: int) -> None:
    assert labels.dtype == LABEL_DTYPE
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels.min() >= IGNORED
    assert labels.max() < num_classes


_CLASSES = 7


def _make_semantic(_: Path) -> list[Files]:
    values = np.random.default_rng(0).integers(0, _CLASSES, (HEIGHT, WIDTH))
    found = []
    for picture in (Image.fromarray(values.astype(np.uint8)), Image.fromarray(values.astype(np.uint16))):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        found.append({"labels/a.png": buffer.getvalue()})
    return found


def _read_semantic(folder: Path) -> None:
    for ignored in (None, 2):
        labels = SemanticPngs(
            root=folder, images_folder="images", folder="labels", ignore_label=ignored, num_classes=_CLASSES,
            max_pixels=10_000,
        )  # fmt: skip
        _check_labels(labels("images/a.jpg", (HEIGHT, WIDTH)), _CLASSES)


def _make_class_names(_: Path) -> list[Files]:
    table = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t7\t8\t1\twall\n2\t0.2\t3\t4\t0\tdoor, gate\n"
    return [{"classes.txt": b"cat\ndog\n"}, {"objectInfo150.txt": table.encode()}]


def _read_class_names(folder: Path) -> None:
    names = read_class_names(folder)
    assert names is not None
    assert all(name.strip() for name in names)


_damage_panoptic = one_of(
    damaging("panoptic.json", by=damage_json), damaging("panoptic/1.png", "panoptic/2.png", by=damage_png)
)

READERS = (
    Reader("COCO instances", _make_instances, _read_instances, damaging("a.json", by=damage_json), named="a.json"),
    Reader(
        "COCO objects",
        lambda _: _make_objects("coco", "instances_val2017.json"),
        lambda folder: _read_objects(folder, "coco"),
        damaging("annotations/instances_val2017.json", by=damage_json),
        named="instances_val2017.json",
    ),
    Reader(
        "LVIS objects",
        lambda _: _make_objects("lvis", "lvis_v1_val.json"),
        lambda folder: _read_objects(folder, "lvis"),
        damaging("annotations/lvis_v1_val.json", by=damage_json),
        named="lvis_v1_val.json",
    ),
    Reader(
        "panoptic regions",
        _make_panoptic,
        _read_panoptic,
        _damage_panoptic,
        named="panoptic",
    ),
    Reader(
        "panoptic labels",
        _make_panoptic,
        _read_panoptic_labels,
        _damage_panoptic,
        clear=(ValueError, UnreadableImage),
        named="panoptic",
    ),
    Reader(
        "semantic PNG", _make_semantic, _read_semantic, damaging("labels/a.png", by=damage_png), named="labels/a.png"
    ),
    Reader("class names", _make_class_names, _read_class_names, damaging(by=damage_bytes), named=".txt"),
)
