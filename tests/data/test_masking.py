from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmae.config import DataConfig, ModelConfig
from rmae.data.image_set import ImageSet
from rmae.data.masking import region_biased_permutation, visible_pixels
from rmae.data.order import SampleKey
from rmae.data.samples import PretrainSamples, Sample


def test_visible_pixels_are_those_of_the_first_patches():
    ids_shuffle = np.array([4, 0, 1, 2, 3, 5], dtype=np.int32)
    seen = visible_pixels(ids_shuffle, 2, (2, 3), 2)
    expected = np.zeros((4, 6), bool)
    expected[0:2, 0:2] = True  # patch 0
    expected[2:4, 2:4] = True  # patch 4
    np.testing.assert_array_equal(seen, expected, strict=True)


# On a grid of 2 x 4 patches of one pixel: the left column, the two upper middle patches, and nothing.
REGIONS = np.array([[[1, 0, 0, 0], [1, 0, 0, 0]], [[0, 1, 1, 0], [0, 0, 0, 0]], [[0] * 4, [0] * 4]], dtype=bool)


def test_regions_are_hidden_whole_one_after_the_other_and_then_the_rest():
    seen = set()
    for seed in range(60):
        ids_shuffle = region_biased_permutation(REGIONS, (2, 4), np.random.default_rng(seed))
        assert ids_shuffle.dtype == np.int32
        hidden_first = ids_shuffle[::-1].tolist()
        first_two, next_two, rest = hidden_first[:2], hidden_first[2:4], hidden_first[4:]
        assert {frozenset(first_two), frozenset(next_two)} == {frozenset({0, 4}), frozenset({1, 2})}
        assert set(rest) == {3, 5, 6, 7}
        seen.add(tuple(hidden_first[:4]))
    assert len(seen) == 8  # either region first, and the patches of each in either order


def test_a_patch_of_two_regions_goes_with_the_first_of_them():
    overlapping = np.array([[[1, 1, 0, 0]], [[0, 1, 1, 0]]], dtype=bool)
    orders = {
        tuple(region_biased_permutation(overlapping, (1, 4), np.random.default_rng(seed))[::-1]) for seed in range(60)
    }
    assert orders == {(0, 1, 2, 3), (1, 0, 2, 3), (1, 2, 0, 3), (2, 1, 0, 3)}


def test_touching_a_patch_with_one_pixel_hides_it():
    regions = np.zeros((1, 4, 4), dtype=bool)
    regions[0, 3, 0] = True
    for seed in range(20):
        assert region_biased_permutation(regions, (2, 2), np.random.default_rng(seed))[-1] == 2


@settings(max_examples=50, deadline=None)
@given(num_regions=st.integers(1, 5), rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 99))
def test_it_is_a_permutation_for_any_regions(num_regions: int, rows: int, columns: int, seed: int):
    generator = np.random.default_rng(seed)
    regions = generator.random((num_regions, 3 * rows, 2 * columns)) < generator.random()
    ids_shuffle = region_biased_permutation(regions, (rows, columns), generator)
    assert sorted(ids_shuffle) == list(range(rows * columns))


def samples_of(images: ImageSet, data: DataConfig, model: ModelConfig) -> list[Sample]:
    samples = PretrainSamples(images, data=data, model=model, seed=0)
    return [samples[SampleKey(epoch, 0)] for epoch in range(20)]


def patches_touched(sample: Sample) -> np.ndarray:
    """Which of the 4 x 6 patches of 4 pixels each of the 3 regions touches, (3, 24) bool."""
    assert sample.regions is not None
    maps = np.unpackbits(sample.regions, axis=-1, count=24)
    return maps.reshape(3, 4, 4, 6, 4).any(axis=(2, 4)).reshape(3, 24)


@pytest.mark.parametrize("masking", ["uniform", "region_visible", "region_biased"])
def test_masks_are_shared_unless_asked_otherwise(
    photo_folder: Callable[[int], ImageSet], quick_data: DataConfig, small_model: ModelConfig, masking: str
):
    images, model = photo_folder(1), replace(small_model, masking=masking)
    shared = samples_of(images, quick_data, model)
    separate = samples_of(images, quick_data, replace(model, shared_mask=False))

    assert all(sample.region_ids_shuffle is None for sample in shared)
    for sample in separate:
        assert sample.region_ids_shuffle is not None
        assert sorted(sample.region_ids_shuffle) == sorted(sample.ids_shuffle) == list(range(24))
        assert (sample.region_ids_shuffle != sample.ids_shuffle).any()


@pytest.mark.parametrize("shared_mask", [True, False])
def test_biased_masks_hide_regions_of_the_sample(
    photo_folder: Callable[[int], ImageSet], quick_data: DataConfig, small_model: ModelConfig, shared_mask: bool
):
    """Whatever is hidden first, in an image or its regions, is all that one of the drawn regions touches."""
    model = replace(small_model, masking="region_biased", shared_mask=shared_mask)
    for sample in samples_of(photo_folder(1), quick_data, model):
        touched = [set(np.flatnonzero(region)) for region in patches_touched(sample)]
        for ids in (sample.ids_shuffle, sample.region_ids_shuffle):
            if ids is not None:
                assert any(region and set(ids[-len(region) :]) == region for region in touched)


def test_regions_that_touch_what_their_own_mask_leaves_visible_are_drawn(
    photo_folder: Callable[[int], ImageSet], small_model: ModelConfig
):
    def pieces(image: np.ndarray, name: str) -> np.ndarray:  # many more regions than visible patches
        rows, columns = np.indices(image.shape[:2]) // 2
        return (rows * 100 + columns)[None].astype(np.int32)

    model = replace(small_model, region_mask_ratio=0.9, masking="region_visible", shared_mask=False)
    for sample in samples_of(photo_folder(1), DataConfig(regions=pieces), model):
        assert sample.region_ids_shuffle is not None
        assert patches_touched(sample)[:, sample.region_ids_shuffle[:2]].any(axis=1).all()
