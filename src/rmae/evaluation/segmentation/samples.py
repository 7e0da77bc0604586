"""Training samples: a picture and its labels, cut, resized, mirrored and padded as one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from rmae.config.segmentation import SegmentConfig
from rmae.data.skips import Skipped
from rmae.data.training_samples import Made
from rmae.evaluation.segmentation.crops import draw_crop, pad, padding_colour
from rmae.evaluation.segmentation.data import LabelledImages
from rmae.evaluation.segmentation.labels import IGNORED
from rmae.evaluation.segmentation.photometric import jitter_colors


class SegmentSample(NamedTuple):
    """One crop of a picture."""

    image: np.ndarray
    """Shape (3, h, w) uint8."""
    labels: np.ndarray
    """Shape (h, w) int16: classes from 0, or `IGNORED`."""


class SegmentBatch(NamedTuple):
    """B crops."""

    images: Tensor
    """Shape (B, 3, h, w) uint8."""
    labels: Tensor
    """Shape (B, h, w) int16."""
    skipped: tuple[Skipped, ...]
    """Pictures that stood here first but could not be used."""

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Images and labels: what a `SegmentStep` takes."""
        return self[:2]

    def to(self, device: torch.device) -> "SegmentBatch":
        """Move the tensors; from pinned memory to a GPU without waiting for it."""
        images, labels = (tensor.to(device, non_blocking=True) for tensor in self.tensors())
        return SegmentBatch(images, labels, self.skipped)


class SampleMaker:
    """Makes training samples of pictures.

    Args:
        part: The pictures and their labels.
        config: How they are cut and changed.
        pixel_mean: Colour of what lies outside of a picture, full scale = 1.
    """

    def __init__(self, part: LabelledImages, config: SegmentConfig, *, pixel_mean: tuple[float, ...]) -> None:
        self._part = part
        self._config = config
        self._padding = padding_colour(pixel_mean)

    def __call__(self, index: int, generator: np.random.Generator) -> SegmentSample:
        """Make a sample of one picture; the errors are those of `LabelledImages.read`."""
        config = self._config
        crop_hw = config.encoder.image_hw
        image, labels = self._part.read(index)
        crop = draw_crop(
            labels,
            crop_hw,
            scale_range=config.scale_range,
            max_class_share=config.max_class_share,
            flip=config.flip,
            generator=generator,
        )
        pixels = crop.cut_image(image)  # (3, h', w')
        if config.color_jitter > 0:
            pixels = jitter_colors(pixels, strength=config.color_jitter, generator=generator)
        return SegmentSample(pad(pixels, crop_hw, self._padding), pad(crop.cut_labels(labels), crop_hw, IGNORED))


def collate(made: Sequence[Made[SegmentSample]]) -> SegmentBatch:
    """Put samples into a batch, in a worker into memory that other processes share."""
    return SegmentBatch(
        default_collate([torch.from_numpy(each.sample.image) for each in made]),
        default_collate([torch.from_numpy(each.sample.labels) for each in made]),
        tuple(skipped for each in made for skipped in each.skipped),
    )
