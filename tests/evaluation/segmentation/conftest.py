"""Small data sets with labels in both layouts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.config import EncoderConfig, OptimizerConfig, ReadingConfig, RunConfig, SegmentConfig

SIZES_HW = ((20, 30), (24, 24), (30, 20), (22, 28))
SEGMENT_IDS = (7, 300, 70_000)


def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a bright box on dark noise, and its labels: 0 around, 1 or 2 in the box, -1 in a corner."""
    generator = np.random.default_rng(number)
    height, width = SIZES_HW[number % len(SIZES_HW)]
    image = generator.integers(0, 60, (height, width, 3))
    labels = np.zeros((height, width), np.int64)
    top, left = generator.integers(2, height // 2), generator.integers(2, width // 2)
    class_ = 1 + number % 2
    image[top : top + 10, left : left + 10, class_] += 180
    labels[top : top + 10, left : left + 10] = class_
    labels[:2, :2] = -1
    return image.astype(np.uint8), labels


@pytest.fixture
def ade_root(tmp_path: Path) -> Path:
    """Eight pictures to train on and three for validation, in ADE20K's layout; labels 0 (ignored) to 3."""
    root = tmp_path / "ade"
    for part, numbers in (("training", range(8)), ("validation", range(8, 11))):
        for kind in ("images", "annotations"):
            (root / kind / part).mkdir(parents=True)
        for number in numbers:
            image, labels = draw(number)
            Image.fromarray(image).save(root / "images" / part / f"{number}.png")
            Image.fromarray((labels + 1).astype(np.uint8)).save(root / "annotations" / part / f"{number}.png")
    (root / "classes.txt").write_text("around\nred\nblue\n")
    return root


@pytest.fixture
def coco_root(tmp_path: Path) -> Path:
    """The same pictures in COCO's panoptic layout; the categories are 1 around (stuff), 5 red, 90 blue."""
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    categories = [{"id": 90, "name": "blue"}, {"id": 1, "name": "around", "isthing": 0}, {"id": 5, "name": "red"}]
    for part, numbers in (("train2017", range(8)), ("val2017", range(8, 11))):
        images, annotations = [], []
        for folder in (root / part, root / f"panoptic_{part}"):
            folder.mkdir()
        for number in numbers:
            image, labels = draw(number)
            Image.fromarray(image).save(root / part / f"{number}.png")
            ids = np.array([*SEGMENT_IDS, 0])[labels]  # -1 takes the last one: nothing annotated
            rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
            Image.fromarray(rgb).save(root / f"panoptic_{part}" / f"{number}.png")
            height, width = labels.shape
            images.append({"id": number, "file_name": f"{number}.png", "height": height, "width": width})
            present = [(id_, (1, 5, 90)[i]) for i, id_ in enumerate(SEGMENT_IDS) if (labels == i).any()]
            segments = [{"id": id_, "category_id": category, "iscrowd": 0} for id_, category in present]
            annotations.append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations" / f"panoptic_{part}.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def edit_json(coco_root: Path) -> Callable[[str, Callable[[dict], None]], None]:
    """Change a panoptic file in place: edit_json("train2017", change)."""

    def edit(part: str, change: Callable[[dict], None]) -> None:
        file = coco_root / "annotations" / f"panoptic_{part}.json"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    return edit


@pytest.fixture
def tiny_config() -> SegmentConfig:
    """A run small enough to train in a moment."""
    return SegmentConfig(
        encoder=EncoderConfig(img_size=16, scratch_size="micro", scratch_patch_size=8, drop_path=0.1),
        head_channels=8,
        auxiliary_channels=8,
        num_examples=2,
        reading=ReadingConfig(num_workers=0),
        optimizer=OptimizerConfig(epochs=None, updates=6, batch_size=4, base_lr=0.1, warmup=0.2, clip_grad=1.0),
        run=RunConfig(accelerator="cpu", log_every=2, checkpoint_every=3),
    )
