"""Training samples: a picture at a random scale in a frame, with boxes, labels and masks of what is left of it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from rmae.config.detection import DetectConfig
from rmae.data.images import UnreadableImage
from rmae.data.skips import Skipped
from rmae.data.training_samples import Made, TrainingSamples
from rmae.evaluation.detection.data import DetectionData
from rmae.evaluation.detection.jitter import draw_placement, place_image, place_mask
from rmae.evaluation.detection.repeated_samples import RepeatedSamples
from rmae.evaluation.detection.repetition import Repetition, repeat_factors
from rmae.evaluation.objects.pictures import Part, read_picture
from rmae.ops.bits import pack_bits

_FEWEST_PIXELS = 4  # of an object in the frame; of less nothing can be seen


class Sample(NamedTuple):
    """A picture in its frame of H x W pixels, and its n objects."""

    image: np.ndarray
    """Shape (3, H, W) uint8."""
    boxes_xyxy: np.ndarray
    """The smallest boxes around the masks, shape (n, 4) float32, in pixels."""
    labels: np.ndarray
    """Shape (n,) int64, from 1 on."""
    masks: np.ndarray
    """Packed along the rows, shape (n, H, ceil(W / 8)) uint8."""


class Batch(NamedTuple):
    """B samples with n objects together."""

    images: Tensor
    """Shape (B, 3, H, W) uint8."""
    boxes_xyxy: Tensor
    """Of all objects, picture after picture; shape (n, 4) float32, in pixels."""
    labels: Tensor
    """Shape (n,) int64, from 1 on."""
    masks: Tensor
    """Packed along the rows, shape (n, H, ceil(W / 8)) uint8."""
    counts: tuple[int, ...]
    """Objects of each picture."""
    skipped: tuple[Skipped, ...]
    """Pictures that stood here first but could not be used."""

    def tensors(self) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
        """What a `DetectionStep` takes: pictures, and of each its boxes, labels and masks."""
        sizes = list(self.counts)
        return self.images, self.boxes_xyxy.split(sizes), self.labels.split(sizes), self.masks.split(sizes)

    def to(self, device: torch.device) -> "Batch":
        """Move the tensors; from pinned memory to a GPU without waiting for it."""
        moved = (value.to(device, non_blocking=True) if isinstance(value, Tensor) else value for value in self)
        return self._make(moved)


def build_samples(
    config: DetectConfig, data: DetectionData, *, pixel_mean: Sequence[float], seed: int
) -> TrainingSamples[Sample] | RepeatedSamples[Sample]:
    """Training samples by key.

    Args:
        config: How pictures are read, placed and repeated.
        data: The pictures.
        pixel_mean: What fills the rest of their frames, full scale = 1; one number for each channel.
        seed: Seed of the run, >= 0.
    """
    make = partial(make_sample, data.train, data.train_rows, config, filling(pixel_mean))
    names = [data.train.images.names[row] for row in data.train_rows]
    where = str(data.train.images.root)
    if config.repeat_threshold is None:
        return TrainingSamples(names, make, seed=seed, where=where)
    factors = repeat_factors(data.train.objects, data.train_rows, config.repeat_threshold)
    return RepeatedSamples(names, make, Repetition(factors, seed=seed), seed=seed, where=where)


def make_sample(
    part: Part,
    rows: np.ndarray,
    config: DetectConfig,
    fill: tuple[int, ...],
    index: int,
    generator: np.random.Generator,
) -> Sample:
    """Make a sample of a picture.

    Args:
        part: Pictures and objects.
        rows: Those that are trained on, shape (n,) int64.
        config: The size of the frame, and how pictures are jittered and read.
        fill: Colour of the rest of a frame, in 0..255.
        index: Which of the n pictures.
        generator: Where the randomness comes from.

    Raises:
        UnreadableImage: The picture or one of its masks cannot be read, or the picture is not of the size that is
            given for it.
    """
    row = int(rows[index])
    image = read_picture(part, row, max_pixels=config.reading.max_pixels)
    frame_hw = config.encoder.image_hw
    placement = draw_placement(image.shape[:2], frame_hw, scale=config.jitter, flip=config.flip, generator=generator)
    try:
        drawn = part.objects.draw(row)
    except ValueError as error:
        raise UnreadableImage(str(error)) from error
    boxes, labels, masks = [], [], []
    for number, mask in drawn:
        if part.objects.is_crowd[number]:
            continue
        placed = place_mask(mask, placement)
        if np.count_nonzero(placed.pixels) < _FEWEST_PIXELS:
            continue
        whole = np.zeros(frame_hw, dtype=bool)
        whole[placed.box] = placed.pixels
        height, width = placed.pixels.shape
        boxes.append((placed.left, placed.top, placed.left + width, placed.top + height))
        labels.append(part.objects.labels[number])
        masks.append(pack_bits(whole))
    return Sample(
        place_image(image, placement, frame_hw, fill),
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
        np.array(masks, dtype=np.uint8).reshape(-1, frame_hw[0], -(-frame_hw[1] // 8)),
    )


def filling(pixel_mean: Sequence[float]) -> tuple[int, ...]:
    """Colour of a frame where no picture is, in 0..255: the mean of pictures, of which normalisation makes 0."""
    return tuple(round(255 * mean) for mean in pixel_mean)


def collate(made: Sequence[Made[Sample]]) -> Batch:
    """Put samples into a batch, in a worker into memory that other processes share."""
    samples = [each.sample for each in made]
    return Batch(
        default_collate([torch.from_numpy(sample.image) for sample in samples]),
        _join([sample.boxes_xyxy for sample in samples]),
        _join([sample.labels for sample in samples]),
        _join([sample.masks for sample in samples]),
        tuple(len(sample.labels) for sample in samples),
        tuple(skipped for each in made for skipped in each.skipped),
    )


def _join(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays))
