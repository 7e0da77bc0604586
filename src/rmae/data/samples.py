"""Samples for pre-training: from an image file to a crop, packed regions and a permutation of the patches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, assert_never

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from rmae.config import DataConfig, ModelConfig
from rmae.data.crops import Crop, random_crop
from rmae.data.decoding import decode_crop, reduction_for
from rmae.data.drawing import draw_regions
from rmae.data.image_set import ImageSet
from rmae.data.images import StoredImage, UnreadableImage, check_channels
from rmae.data.masking import region_biased_permutation, uniform_permutation, visible_pixels
from rmae.data.order import SampleKey
from rmae.data.region_reader import RegionReader, open_regions
from rmae.data.skips import Skipped
from rmae.data.training_samples import make_or_replace
from rmae.regions.label_runs import LabelRuns


class Sample(NamedTuple):
    """One image, ready to be put into a batch."""

    image: np.ndarray
    """Shape (M, h, w), uint8 or uint16."""
    regions: np.ndarray | None
    """R binary maps packed along the rows, shape (R, h, ceil(w / 8)) uint8; None where the task has no regions."""
    ids_shuffle: np.ndarray
    """Shape (L,) int32, a permutation of the patches; the first K are visible."""
    region_ids_shuffle: np.ndarray | None
    """The same for the regions; None where they share the image's."""
    skipped: tuple[Skipped, ...]
    """Images that stood here first but could not be used."""


class Batch(NamedTuple):
    """B samples."""

    images: Tensor
    """Shape (B, M, h, w), uint8 or uint16."""
    regions: Tensor | None
    """Shape (B, R, h, ceil(w / 8)) uint8, packed; None where the task has no regions."""
    ids_shuffle: Tensor
    """Shape (B, L) int32."""
    region_ids_shuffle: Tensor | None
    """Shape (B, L) int32; None where regions share the image's."""
    skipped: tuple[Skipped, ...]
    """Images that stood here first but could not be used."""

    def tensors(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
        """Images, regions and permutations: what a `PretrainStep` takes."""
        return self[:4]

    def to(self, device: torch.device) -> "Batch":
        """Move the tensors; from pinned memory to a GPU without waiting for it."""
        moved = (value.to(device, non_blocking=True) if isinstance(value, Tensor) else value for value in self)
        return self._make(moved)


class PretrainSamples(Dataset[Sample]):
    """Samples by key; each is a pure function of the images, the settings, the seed and its key.

    Index i of an epoch stands for image i // crops_per_image. An image that cannot be read, or has no regions, is
    replaced by another one drawn at random and listed in the sample.

    Args:
        images: The files.
        data: How they are cropped and where regions come from.
        model: Size and channels of the crop, its patches, and whether regions are needed.
        seed: Seed of the run, >= 0.

    Raises:
        ValueError: Image files cannot be read with the model's number of channels.
    """

    def __init__(self, images: ImageSet, *, data: DataConfig, model: ModelConfig, seed: int):
        check_channels(model.channels)
        self._images = images
        self._data = data
        self._model = model
        self._seed = seed
        self._regions: RegionReader | None = open_regions(data, images) if model.has_region_branch else None

    def __len__(self) -> int:
        """Samples in an epoch."""
        return len(self._images.names) * self._data.crops_per_image

    def __getitem__(self, key: SampleKey) -> Sample:
        """Make one sample.

        Raises:
            ValueError: Fifty images in a row could not be used.
            WrongRegionSource: The region source gave something else than label maps.
        """
        first = key.index // self._data.crops_per_image
        made = make_or_replace(
            self._make, self._images.names, first, key=key, seed=self._seed, where=str(self._images.root)
        )
        return made.sample._replace(skipped=made.skipped)

    def name_of(self, key: SampleKey) -> str:
        """Name of the image that a sample is made of if it can be used."""
        return self._images.names[key.index // self._data.crops_per_image]

    def _make(self, index: int, generator: np.random.Generator) -> Sample:
        """Make a sample of an image, with every random choice in it: crop, permutations and regions."""
        name = self._images.names[index]
        with self.open(name) as image:
            crop = self.draw_crop(image, generator)
            pixels = decode_crop(image, crop, self._model.image_hw)
            runs = self.read_regions(image, name)
        return Sample(pixels, *self.draw_regions(runs, crop, generator), ())

    # The stages of making a sample, each to be called as in `_make`; `bench/data.py` times them one by one.

    @contextmanager
    def open(self, name: str) -> Iterator[StoredImage]:
        """Open an image, decoded already where its regions are made from its pixels."""
        with self._images.open(name, channels=self._model.channels, max_pixels=self._data.max_pixels) as image:
            if self._regions is not None and self._regions.needs_pixels:
                image = StoredImage.of(image.pixels())
            yield image

    def draw_crop(self, image: StoredImage, generator: np.random.Generator) -> Crop:
        """Draw a crop, its edges where `decode_crop` needs them."""
        data = self._data
        crop = random_crop(
            *image.size_hw, scale=data.crop_scale, ratio=data.crop_ratio, flip=data.flip, generator=generator
        )
        return crop.on_grid(reduction_for(image, crop, self._model.image_hw), image.size_hw)

    def read_regions(self, image: StoredImage, name: str) -> LabelRuns | None:
        """Read the regions of an image, or make them; None where the task has no regions."""
        if self._regions is None:
            return None
        try:
            return self._regions(image, name)
        except (ValueError, OSError) as error:
            raise UnreadableImage(f"its regions cannot be had: {error}") from error

    def draw_regions(
        self, runs: LabelRuns | None, crop: Crop, generator: np.random.Generator
    ) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
        """Draw the regions of a crop, packed, the permutation that masks it, and the regions' own if they have one."""
        model = self._model
        if runs is None:
            return None, uniform_permutation(model.grid, generator), None
        num_masks = 1 if model.shared_mask else 2
        match model.masking:
            case "uniform" | "region_visible":
                masks = [uniform_permutation(model.grid, generator) for _ in range(num_masks)]
                visible = None
                if model.masking == "region_visible":
                    visible = visible_pixels(masks[-1], model.region_num_visible, model.grid, model.patch_size)
                regions = self._fill_regions(runs, crop, generator, visible)
            case "region_biased":
                regions = self._fill_regions(runs, crop, generator)
                maps = np.unpackbits(regions, axis=-1, count=model.image_hw[1]).view(bool)  # (R, h, w)
                masks = [region_biased_permutation(maps, model.grid, generator) for _ in range(num_masks)]
            case _:
                assert_never(model.masking)
        return regions, masks[0], None if model.shared_mask else masks[1]

    def _fill_regions(
        self, runs: LabelRuns, crop: Crop, generator: np.random.Generator, visible: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw regions, of all or of those with a visible pixel; packed, shape (R, h, ceil(w / 8)) uint8."""
        return draw_regions(
            runs,
            crop,
            self._model.image_hw,
            num_regions=self._model.num_regions,
            generator=generator,
            area=self._data.region_area,
            visible=visible,
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples into a batch, in a worker into memory that other processes share.

    Where 8-bit and 16-bit images meet, the former are scaled to 16 bits.
    """
    images = [sample.image for sample in samples]
    if len({image.dtype for image in images}) > 1:
        images = [image if image.dtype == np.uint16 else image.astype(np.uint16) * np.uint16(257) for image in images]
    return Batch(
        _stack(images),
        _stack_if_any([sample.regions for sample in samples]),
        _stack([sample.ids_shuffle for sample in samples]),
        _stack_if_any([sample.region_ids_shuffle for sample in samples]),
        tuple(skipped for sample in samples for skipped in sample.skipped),
    )


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return default_collate([torch.from_numpy(array) for array in arrays])


def _stack_if_any(arrays: Sequence[np.ndarray | None]) -> Tensor | None:
    """Stack what all samples have, or none."""
    present = [array for array in arrays if array is not None]
    assert len(present) in (0, len(arrays))
    return _stack(present) if present else None
