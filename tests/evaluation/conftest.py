"""Small data sets with annotations that a test writes itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Annotation = dict[str, Any]
WriteCoco = Callable[..., Path]


def box_polygon(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top, right, top, right, bottom, left, bottom]]


@pytest.fixture
def rectangle() -> Callable[..., Annotation]:
    """An annotation of a rectangle: rectangle(image, left, top, right, bottom, category=1, **more)."""

    def make(image: object, left: float, top: float, right: float, bottom: float, category: int = 1, **more: Any):
        return {
            "image_id": image,
            "category_id": category,
            "iscrowd": 0,
            "bbox": [left, top, right - left, bottom - top],
            "area": (right - left) * (bottom - top),
            "segmentation": box_polygon(left, top, right, bottom),
        } | more

    return make


@pytest.fixture
def write_coco(tmp_path: Path) -> WriteCoco:
    """Write a data set: write_coco(train={"a": (20, 30)}, annotations=[...]) with pictures by id, height and width.

    What is left out is as for training. `lvis` writes LVIS's layout; `train_more` and `val_more` go into the files.
    """

    def write(
        *,
        train: dict[Any, tuple[int, int]],
        annotations: list[Annotation],
        val: dict[Any, tuple[int, int]] | None = None,
        val_annotations: list[Annotation] | None = None,
        categories: list[dict[str, Any]] | None = None,
        lvis: bool = False,
        name: str = "data",
        images: dict[Any, dict[str, Any]] | None = None,
    ) -> Path:
        root = tmp_path / name
        parts = {
            "train": (train, annotations),
            "val": (train if val is None else val, annotations if val_annotations is None else val_annotations),
        }
        (root / "annotations").mkdir(parents=True)
        for part, (pictures, entries) in parts.items():
            folder = root / f"{part}2017"
            folder.mkdir(exist_ok=True)
            listed = []
            for number, (id_, (height, width)) in enumerate(pictures.items()):
                pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{id_}.png")
                named = (
                    {"coco_url": f"http://images.cocodataset.org/{part}2017/{id_}.png"}
                    if lvis
                    else {"file_name": f"{id_}.png"}
                )
                listed.append({"id": id_, "height": height, "width": width} | named | (images or {}).get(id_, {}))
            content = {
                "images": listed,
                "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],
                "categories": categories or [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}],
            }
            file = f"lvis_v1_{part}.json" if lvis else f"instances_{part}2017.json"
            (root / "annotations" / file).write_text(json.dumps(content))
        return root

    return write
