"""Finding objects in the pictures of a part, in COCO's form of results."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric

from rmae.config.detection import DetectConfig
from rmae.data.worker_pool import work_in_processes
from rmae.evaluation.detection.jitter import Placement, fit, place_image
from rmae.evaluation.detection.mask_rcnn import Detections
from rmae.evaluation.detection.pasting import boxes_in_picture, paste_mask
from rmae.evaluation.detection.samples import filling
from rmae.evaluation.detection.step import DetectionStep
from rmae.evaluation.objects.annotations import Category
from rmae.evaluation.objects.pictures import Part, read_evaluated_picture
from rmae.evaluation.objects.run_lengths import run_lengths
from rmae.regions.placed_mask import PlacedMask


class Found(NamedTuple):
    """An object found in a picture."""

    label: int
    """Category, from 1 on."""
    score: float
    """In [0, 1]."""
    box_xyxy: np.ndarray
    """Shape (4,) float64, in pixels of the picture."""
    mask: PlacedMask
    """In pixels of the picture."""


class _Framed(NamedTuple):
    row: int
    image: np.ndarray
    placement: Placement


class Predictor:
    """Finds objects in pictures of any size.

    Args:
        step: With the detector, on the device of the processes.
        config: Size of the frame, and how pictures are read.
        pixel_mean: Colour of a frame where no picture is, full scale = 1.
        fabric: Device and arithmetic.
    """

    def __init__(
        self, step: DetectionStep, config: DetectConfig, *, pixel_mean: Sequence[float], fabric: Fabric
    ) -> None:
        self._step = step
        self._frame_hw = config.encoder.image_hw
        self._max_pixels = config.reading.max_pixels
        self._batch_size = config.eval_batch_size
        self._fill = filling(pixel_mean)
        self._fabric = fabric

    def predict(self, part: Part, rows: Sequence[int], *, num_workers: int) -> Iterator[tuple[int, list[Found]]]:
        """Find the objects of pictures.

        Args:
            part: The pictures.
            rows: Which of them.
            num_workers: Processes that read them; 0 = none.

        Yields:
            Each row in order, and what was found there, the surest first. What is found does not depend on the
            workers.

        Raises:
            ValueError: A picture cannot be used: scores of the others would be scores of other data.
        """
        for batch in self._batches(part, rows, num_workers):
            images = torch.from_numpy(np.stack([each.image for each in batch])).to(self._fabric.device)
            sizes = [each.placement.shown_hw for each in batch]
            for framed, detections in zip(batch, self._detect(images, sizes), strict=True):
                yield framed.row, _in_picture(detections, framed.placement)

    def _detect(self, images: torch.Tensor, sizes_hw: list[tuple[int, int]]) -> list[Detections]:
        model = self._step.model
        was_training = model.training
        model.eval()
        try:
            with self._fabric.autocast():
                return model.detect(self._step.normalise(images), sizes_hw)
        finally:
            model.train(was_training)

    def _batches(self, part: Part, rows: Sequence[int], num_workers: int) -> Iterator[list[_Framed]]:
        """The pictures in the order of their rows, whatever the order in which workers have read them."""
        read = partial(_read, part, self._frame_hw, self._fill, self._max_pixels)
        waiting: dict[int, _Framed] = {}
        batch: list[_Framed] = []
        expected = iter(rows)
        row = next(expected, None)
        with closing(work_in_processes(read, rows, num_workers=num_workers)) as results:
            for several in results:
                waiting.update((framed.row, framed) for framed in several)
                while row in waiting:
                    batch.append(waiting.pop(row))
                    row = next(expected, None)
                    if len(batch) == self._batch_size or row is None:
                        yield batch
                        batch = []


def as_results(found: Sequence[Found], part: Part, row: int, categories: Sequence[Category]) -> list[dict[str, Any]]:
    """Objects found in a picture in COCO's form of results: the file's ids, x, y, width and height, run lengths."""
    height, width = part.objects.table.images.sizes_hw[row].tolist()
    results = []
    for each in found:
        left, top, right, bottom = each.box_xyxy.tolist()
        results.append(
            {
                "image_id": part.objects.image_ids[row],
                "category_id": categories[each.label - 1].id,
                "bbox": [left, top, right - left, bottom - top],
                "score": each.score,
                "segmentation": run_lengths(each.mask, (height, width)),
            }
        )
    return results


def _read(part: Part, frame_hw: tuple[int, int], fill: tuple[int, ...], max_pixels: int, row: int) -> _Framed:
    image = read_evaluated_picture(part, row, max_pixels=max_pixels)
    placement = fit((image.shape[0], image.shape[1]), frame_hw)
    return _Framed(row, place_image(image, placement, frame_hw, fill), placement)


def _in_picture(detections: Detections, placement: Placement) -> list[Found]:
    boxes = boxes_in_picture(detections.boxes_xyxy.cpu().numpy(), placement)
    masks = detections.masks.double().cpu().numpy()
    return [
        Found(int(label), float(score), box, paste_mask(mask, box, placement.picture_hw))
        for label, score, box, mask in zip(
            detections.labels.tolist(), detections.scores.tolist(), boxes, masks, strict=True
        )
    ]
