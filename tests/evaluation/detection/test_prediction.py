import json

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import nn

from rmae.config import EncoderConfig
from rmae.config.detection import DetectConfig
from rmae.evaluation.detection.data import open_data
from rmae.evaluation.detection.mask_rcnn import Detections
from rmae.evaluation.detection.precision import Truth
from rmae.evaluation.detection.prediction import Predictor, as_results
from rmae.evaluation.detection.step import DetectionStep
from rmae.regions.rle import place_rle

CONFIG = DetectConfig(encoder=EncoderConfig(img_size=64), eval_batch_size=2)
BLACK = (0.0, 0.0, 0.0)


class BrightFinder(nn.Module):
    """Stands for a detector: finds the bright part of each picture, knowing nothing but its pixels."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def detect(self, images, sizes_hw):
        assert not self.training
        self.sizes.append(sizes_hw)
        found = []
        for image, (height, width) in zip(images, sizes_hw, strict=True):
            rows, columns = np.nonzero(image[0, :height, :width].numpy() > 0.5)
            box = torch.tensor([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]).float()
            label = 1 + int(image[1, :height, :width].max() > 0.5)
            found.append(Detections(box, torch.tensor([0.75]), torch.tensor([label]), torch.ones(1, 28, 28)))
        return found


@pytest.fixture
def bright(write_coco, rectangle):
    """Five pictures of sizes of their own, with one bright rectangle each; those of category 2 are yellow."""
    sizes = {"a": (48, 80), "b": (128, 96), "c": (64, 64), "d": (30, 200), "e": (50, 50)}
    boxes = {
        "a": (10, 6, 40, 30), "b": (2, 20, 90, 120), "c": (0, 0, 64, 64), "d": (100, 10, 150, 29), "e": (7, 7, 43, 43),
    }  # fmt: skip
    entries = [rectangle(p, *box, category=10 if p in "bd" else 4) for p, box in boxes.items()]
    categories = [{"id": 10, "name": "yellow"}, {"id": 4, "name": "red"}]
    root = write_coco(train=sizes, annotations=entries, categories=categories)
    for name, (height, width) in sizes.items():
        left, top, right, bottom = boxes[name]
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[top:bottom, left:right, : 2 if name in "bd" else 1] = 255
        Image.fromarray(pixels).save(root / "val2017" / f"{name}.png")
    return open_data(CONFIG, root)


def finder():
    step = DetectionStep(BrightFinder(), pixel_mean=BLACK, pixel_std=(1.0, 1.0, 1.0))
    return Predictor(step, CONFIG, pixel_mean=BLACK, fabric=Fabric(accelerator="cpu")), step.model


@pytest.mark.parametrize("num_workers", [0, 2])
def test_finds_are_in_the_picture_itself_with_the_ids_of_the_file(bright, num_workers):
    predictor, _ = finder()
    results = []
    rows = []
    for row, found in predictor.predict(bright.val, range(5), num_workers=num_workers):
        rows.append(row)
        results += as_results(found, bright.val, row, bright.categories)
    assert rows == [0, 1, 2, 3, 4]
    assert [(r["image_id"], r["category_id"]) for r in results] == [("a", 4), ("b", 10), ("c", 4), ("d", 10), ("e", 4)]
    json.dumps(results)
    assert results[2]["bbox"] == [0, 0, 64, 64]
    whole = place_rle((64, 64), results[2]["segmentation"]["counts"]).pixels
    assert whole.shape == (64, 64)
    assert whole.all()
    # Boxes are exact to the pixel of the frame, which is at most 200 / 64 pixels of the picture.
    found = Truth(bright.val, bright.categories, is_lvis=False)
    assert found.compare(results, "box").ap50 == found.compare(results, "mask").ap50 == pytest.approx(1)


def test_pictures_are_looked_at_in_batches_and_each_in_its_own_size(bright):
    predictor, model = finder()
    list(predictor.predict(bright.val, [0, 2, 3], num_workers=0))
    assert model.sizes == [[(38, 64), (64, 64)], [(10, 64)]]


def test_the_detector_is_put_back_into_its_mode(bright):
    predictor, model = finder()
    model.train()
    list(predictor.predict(bright.val, [0], num_workers=0))
    assert model.training


def test_nothing_found_and_nothing_asked(bright):
    predictor, model = finder()
    model.detect = lambda images, sizes: (
        [Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 28, 28))]
        * len(images)
    )
    assert list(predictor.predict(bright.val, [1], num_workers=0)) == [(1, [])]
    assert list(predictor.predict(bright.val, [], num_workers=0)) == []
    assert as_results([], bright.val, 1, bright.categories) == []


def test_a_picture_that_cannot_be_read_ends_the_evaluation(bright):
    predictor, _ = finder()
    path = bright.val.images.root / "c.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"c\.png cannot be evaluated: it is not an image"):
        list(predictor.predict(bright.val, range(5), num_workers=0))
    Image.new("RGB", (64, 63)).save(path)
    with pytest.raises(ValueError, match=r"c\.png cannot be evaluated: it has 63 x 64 pixels .* but 64 x 64 in"):
        list(predictor.predict(bright.val, range(5), num_workers=0))
