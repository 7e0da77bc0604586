import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.config import DataConfig, ModelConfig
from rmae.data.image_set import ImageSet
from rmae.data.layouts import list_images
from rmae.data.order import SampleKey
from rmae.data.region_check import WrongRegionSource
from rmae.data.samples import Batch, PretrainSamples, Sample, Skipped, collate
from rmae.ops.bits import unpack_bits

MakeFolder = Callable[[int], ImageSet]


def same(one: Sample, other: Sample) -> bool:
    arrays = [np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True)]
    return all(arrays) and one.skipped == other.skipped


def unpacked(sample: Sample, width: int) -> np.ndarray:
    return unpack_bits(torch.from_numpy(sample.regions), width).numpy()


def test_shapes_and_types(photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig):
    sample = PretrainSamples(photo_folder(2), data=quick_data, model=small_model, seed=0)[SampleKey(0, 1)]
    assert (sample.image.shape, sample.image.dtype) == ((3, 16, 24), np.uint8)
    assert sample.regions is not None
    assert (sample.regions.shape, sample.regions.dtype) == ((3, 16, 3), np.uint8)
    assert sample.ids_shuffle.dtype == np.int32
    np.testing.assert_array_equal(np.sort(sample.ids_shuffle), np.arange(24))
    assert sample.skipped == ()


def test_a_sample_depends_on_its_key_and_seed_only(
    photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig
):
    images = photo_folder(3)
    samples = PretrainSamples(images, data=quick_data, model=small_model, seed=0)
    keys = [SampleKey(epoch, index) for epoch in (0, 1) for index in range(3)]
    first = [samples[key] for key in keys]
    again = [PretrainSamples(images, data=quick_data, model=small_model, seed=0)[key] for key in reversed(keys)]
    for one, other, seen_before in zip(first, reversed(again), (samples[key] for key in keys), strict=True):
        assert same(one, other)
        assert same(one, seen_before)  # now with its regions in memory
    for i, one in enumerate(first):
        assert not any(same(one, other) for other in first[i + 1 :])
    other_seed = PretrainSamples(images, data=quick_data, model=small_model, seed=1)
    assert not any(same(one, other_seed[key]) for key, one in zip(keys, first, strict=True))


def test_crops_per_image(photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig, tmp_path: Path):
    for i in range(2):
        Image.new("L", (30, 30), i * 200).save(tmp_path / f"{i}.png")
    samples = PretrainSamples(
        list_images(tmp_path), data=replace(quick_data, crops_per_image=3), model=small_model, seed=0
    )
    assert len(samples) == 6
    drawn = [samples[SampleKey(0, i)] for i in range(6)]
    assert [int(sample.image.max()) for sample in drawn] == [0, 0, 0, 200, 200, 200]
    assert len({sample.ids_shuffle.tobytes() for sample in drawn}) == 6


def test_image_and_regions_are_cut_alike(quick_data: DataConfig, small_model: ModelConfig, tmp_path: Path):
    blocks = np.kron(np.arange(9).reshape(3, 3), np.ones((30, 30))).astype(np.uint8)
    Image.fromarray(blocks * 25).save(tmp_path / "a.png")

    def blocks_of(image: np.ndarray, name: str) -> np.ndarray:
        return (image[None, :, :, 0] // 25).astype(np.int32)

    # 36 can be divided by every number of blocks in a crop, so each is drawn.
    data, model = replace(quick_data, regions=blocks_of), replace(small_model, num_regions=36)
    samples = PretrainSamples(list_images(tmp_path), data=data, model=model, seed=0)
    agreement = []
    for epoch in range(40):
        sample = samples[SampleKey(epoch, 0)]
        regions = {region.tobytes(): region for region in unpacked(sample, 24)}
        assert (sum(regions.values(), np.zeros((16, 24), int)) == 1).all()  # all blocks in the crop, without overlap
        for region in regions.values():
            inside = sample.image[0][region].astype(int)
            agreement.append(np.mean(np.abs(inside - np.round(np.median(inside) / 25) * 25) <= 8))
    assert np.mean(agreement) > 0.8  # all but what the borders blur


def test_pixels_alone_need_no_regions(photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig):
    images = photo_folder(1)
    model = replace(small_model, task="mae")
    sample = PretrainSamples(images, data=replace(quick_data, regions=None), model=model, seed=0)[SampleKey(0, 0)]
    with_regions = PretrainSamples(images, data=quick_data, model=small_model, seed=0)[SampleKey(0, 0)]
    assert sample.regions is None
    np.testing.assert_array_equal(sample.image, with_regions.image)
    np.testing.assert_array_equal(sample.ids_shuffle, with_regions.ids_shuffle)


def test_visible_regions_touch_a_visible_patch(photo_folder: MakeFolder, small_model: ModelConfig):
    def pieces(image: np.ndarray, name: str) -> np.ndarray:  # many more regions than visible patches
        rows, columns = np.indices(image.shape[:2]) // 2
        return (rows * 100 + columns)[None].astype(np.int32)

    # 2 of the 24 patches visible
    model = replace(small_model, region_mask_ratio=0.9, masking="region_visible", num_regions=4)
    data = DataConfig(regions=pieces)
    images = photo_folder(1)
    samples = PretrainSamples(images, data=data, model=model, seed=0)
    uniform = PretrainSamples(images, data=data, model=replace(model, masking="uniform"), seed=0)

    def touching(sample: Sample) -> np.ndarray:
        patches = unpacked(sample, 24).reshape(4, 4, 4, 6, 4).any(axis=(2, 4)).reshape(4, 24)
        return patches[:, sample.ids_shuffle[:2]].any(axis=1)

    keys = [SampleKey(epoch, 0) for epoch in range(20)]
    assert all(touching(samples[key]).all() for key in keys)
    assert not all(touching(uniform[key]).all() for key in keys)


def test_region_area_is_kept(photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig):
    data = replace(quick_data, region_area=(0.3, 0.6))
    samples = PretrainSamples(photo_folder(1), data=data, model=small_model, seed=0)
    areas = np.concatenate([unpacked(samples[SampleKey(e, 0)], 24).mean(axis=(1, 2)) for e in range(20)])
    assert ((areas == 0) | ((areas >= 0.3) & (areas <= 0.6))).all()
    assert areas.max() > 0


def test_unreadable_images_are_replaced_and_listed(
    photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig
):
    images = photo_folder(4)
    (images.root / "01.png").write_text("no image")
    samples = PretrainSamples(images, data=quick_data, model=small_model, seed=0)
    for epoch in range(10):
        sample = samples[SampleKey(epoch, 1)]
        assert {skipped.name for skipped in sample.skipped} == {"01.png"}
        assert "it is not an image" in sample.skipped[0].reason
        assert sample.image.shape == (3, 16, 24)
        assert same(sample, PretrainSamples(images, data=quick_data, model=small_model, seed=0)[SampleKey(epoch, 1)])
        assert samples[SampleKey(epoch, 2)].skipped == ()


@pytest.mark.parametrize("error", [ValueError("no masks"), FileNotFoundError("no masks")])
def test_images_without_regions_are_replaced_and_listed(
    photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig, error: Exception
):
    def source(image: np.ndarray, name: str) -> np.ndarray:
        if name == "00.png":
            raise error
        return np.zeros((1, *image.shape[:2]), np.int32)

    samples = PretrainSamples(photo_folder(3), data=replace(quick_data, regions=source), model=small_model, seed=0)
    skipped = samples[SampleKey(0, 0)].skipped
    assert skipped[0] == Skipped("00.png", "its regions cannot be had: no masks")
    assert samples[SampleKey(0, 1)].skipped == ()


def test_a_wrong_region_source_ends_the_run(photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig):
    data = replace(quick_data, regions=lambda image, name: np.zeros(image.shape[:2], np.int32))
    with pytest.raises(WrongRegionSource, match=r"gave an array of shape \(20, 30\) for 00.png"):
        PretrainSamples(photo_folder(1), data=data, model=small_model, seed=0)[SampleKey(0, 0)]


def test_when_nothing_can_be_read_it_says_so(
    photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig
):
    images = photo_folder(2)
    for name in images.names:
        (images.root / name).write_text("no image")
    samples = PretrainSamples(images, data=quick_data, model=small_model, seed=0)
    with pytest.raises(ValueError, match=r"50 images drawn in a row from .* the last, 0\d\.png: it is not an image"):
        samples[SampleKey(0, 0)]


def test_wrong_channels_are_refused_at_once(
    photo_folder: MakeFolder, quick_data: DataConfig, small_model: ModelConfig, monkeypatch: pytest.MonkeyPatch
):
    five = replace(small_model, channels=5)
    PretrainSamples(photo_folder(1), data=quick_data, model=five, seed=0)
    monkeypatch.setitem(sys.modules, "tifffile", None)  # as where it is not installed
    with pytest.raises(ValueError, match=r"image files are read with .*, not 5; .* to read TIFF files of 5 bands"):
        PretrainSamples(photo_folder(1), data=quick_data, model=five, seed=0)


def sample_of(image: np.ndarray, *, regions: bool = True, skipped: tuple[Skipped, ...] = ()) -> Sample:
    packed = np.full((2, 1, 1), 192, np.uint8) if regions else None
    return Sample(image, packed, np.array([1, 0], np.int32), None, skipped)


def test_collate_stacks_and_gathers():
    missing = Skipped("a", "why")
    bytes_ = np.array([[[0, 255]]], np.uint8)
    batch = collate([sample_of(bytes_), sample_of(bytes_ // 5, skipped=(missing,))])
    assert isinstance(batch, Batch)
    assert batch.images.dtype == torch.uint8
    assert batch.images.tolist() == [[[[0, 255]]], [[[0, 51]]]]
    assert batch.regions is not None
    assert batch.regions.shape == (2, 2, 1, 1)
    assert batch.ids_shuffle.dtype == torch.int32
    assert batch.skipped == (missing,)
    assert collate([sample_of(bytes_, regions=False)]).regions is None


def test_collate_scales_8_bits_to_16_where_they_meet():
    batch = collate([sample_of(np.array([[[0, 255]]], np.uint8)), sample_of(np.array([[[7, 65535]]], np.uint16))])
    assert batch.images.dtype == torch.uint16
    assert batch.images.tolist() == [[[[0, 65535]]], [[[7, 65535]]]]
