"""Labelled pictures to train on: cropped, changed at random, put into batches."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch import Tensor
from torch.utils.data import default_collate

from rmae.data.crops import random_crop
from rmae.data.decoding import decode_crop, reduction_for
from rmae.data.seeding import seeded_globals
from rmae.data.skips import Skipped
from rmae.data.training_samples import Made
from rmae.evaluation.classification.data import LabelledImages
from rmae.evaluation.classification.erasing import erase_rectangle
from rmae.evaluation.classification.pictures import CHANNELS, to_bytes

_STRONGEST = 9.99  # at 10, posterising would keep no bit of a colour: a black picture, which Pillow refuses to make
_SHIFT = 0.45  # largest shift of RandAugment, as a share of the shorter side


class LabelledPicture(NamedTuple):
    """One picture and its class."""

    pixels: np.ndarray
    """Shape (3, h, w) uint8."""
    label: int
    """In [0, C)."""


class LabelledBatch(NamedTuple):
    """B pictures."""

    pixels: Tensor
    """Shape (B, 3, h, w) uint8."""
    labels: Tensor
    """Shape (B,) int64."""
    skipped: tuple[Skipped, ...]
    """Pictures that stood here first but could not be used."""

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Pixels and labels."""
        return self[:2]

    def to(self, device: torch.device) -> "LabelledBatch":
        """Move the tensors; from pinned memory to a GPU without waiting for it."""
        return self._replace(
            pixels=self.pixels.to(device, non_blocking=True), labels=self.labels.to(device, non_blocking=True)
        )


Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From a picture (3, h, w) uint8 to another one, at random."""


class RandomCrops:
    """Makes samples for `TrainingSamples`: a random crop of a picture, resized, perhaps mirrored, and then changed.

    Args:
        labelled: The pictures.
        image_hw: Height h and width w of a sample in pixels.
        max_pixels: Larger pictures are unreadable.
        crop_scale: Smallest and largest share of the picture's area.
        crop_ratio: Smallest and largest width over height.
        flip: Probability of mirroring.
        changes: What is done to the crop, in this order.
    """

    def __init__(
        self,
        labelled: LabelledImages,
        *,
        image_hw: tuple[int, int],
        max_pixels: int,
        crop_scale: tuple[float, float],
        crop_ratio: tuple[float, float],
        flip: float,
        changes: Sequence[Change] = (),
    ) -> None:
        self._labelled = labelled
        self._image_hw = image_hw
        self._max_pixels = max_pixels
        self._scale, self._ratio, self._flip = crop_scale, crop_ratio, flip
        self._changes = changes

    def __call__(self, index: int, generator: np.random.Generator) -> LabelledPicture:
        """Make a sample of a picture, by its number; raises `UnreadableImage` where it cannot be used."""
        images, labels = self._labelled
        with images.open(images.names[index], channels=CHANNELS, max_pixels=self._max_pixels) as image:
            crop = random_crop(
                *image.size_hw, scale=self._scale, ratio=self._ratio, flip=self._flip, generator=generator
            )
            crop = crop.on_grid(reduction_for(image, crop, self._image_hw), image.size_hw)
            pixels = to_bytes(decode_crop(image, crop, self._image_hw))
        for change in self._changes:
            pixels = change(pixels, generator)
        return LabelledPicture(pixels, int(labels[index]))


class RandAugment:
    """Changes colours and shape of a picture at random, twice at most.

    Args:
        magnitude: Strength, 1 to 10.
        std: Standard deviation of it from change to change, >= 0.
        image_hw: Height and width of the pictures in pixels.
        mean: Of each channel, full scale = 1: what is filled in where a picture was moved away.

    Source:
        Cubuk et al., RandAugment (2019), in timm's form `rand-m9-mstd0.5-inc1`, which MAE's fine-tuning uses.
    """

    def __init__(self, *, magnitude: int, std: float, image_hw: tuple[int, int], mean: Sequence[float]) -> None:
        settings = {
            "translate_const": int(_SHIFT * min(image_hw)),
            "img_mean": tuple(round(255 * value) for value in mean),
            "magnitude_std": std,
            "magnitude_max": _STRONGEST,
            "interpolation": Image.Resampling.BICUBIC,
        }
        self._transform = rand_augment_transform(f"rand-m{magnitude}-inc1", settings)

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Change a picture (3, h, w) uint8."""
        image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        with seeded_globals(generator):
            changed = self._transform(image)
        return np.array(changed).transpose(2, 0, 1)  # (3, h, w)


class RandomErasing:
    """Fills a rectangle of some pictures with noise.

    Args:
        probability: Of doing so, in [0, 1].
        mean: Of each channel of the noise, full scale = 1.
        std: Of each channel of the noise, full scale = 1.
    """

    def __init__(self, probability: float, *, mean: Sequence[float], std: Sequence[float]) -> None:
        self._probability = probability
        self._mean, self._std = mean, std

    def __call__(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Change a picture (3, h, w) uint8, or leave it as it is."""
        if generator.random() >= self._probability:
            return pixels
        return erase_rectangle(pixels, mean=self._mean, std=self._std, generator=generator)


def collate(made: Sequence[Made[LabelledPicture]]) -> LabelledBatch:
    """Put samples into a batch."""
    return LabelledBatch(
        default_collate([torch.from_numpy(each.sample.pixels) for each in made]),  # in memory that processes share
        torch.tensor([each.sample.label for each in made]),
        tuple(skipped for each in made for skipped in each.skipped),
    )
