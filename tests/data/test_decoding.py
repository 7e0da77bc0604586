import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from rmae.data.crops import Crop, crop_image, sample_positions
from rmae.data.decoding import decode_crop, reduction_for
from rmae.data.drawing import draw_regions
from rmae.data.images import StoredImage, open_image
from rmae.regions.label_runs import LabelRuns

SIZES = st.integers(1, 700)


@contextmanager
def opened(pixels: np.ndarray, form: str = "JPEG") -> Iterator[StoredImage]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, quality=95, subsampling=0)
    yield open_image(file, channels=3, max_pixels=10**7)


def blocks(height: int, width: int, side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of black and white at random, shape (H, W, 3), and which pixels are white, shape (H, W) int32."""
    shape = (-(-height // side), -(-width // side))
    white = np.random.default_rng(seed).integers(0, 2, shape).repeat(side, 0).repeat(side, 1)[:height, :width]
    return np.repeat((white * 255).astype(np.uint8)[..., None], 3, axis=-1), white.astype(np.int32)


def waves(height: int, width: int) -> np.ndarray:
    """Smooth slopes, which look the same at any size; shape (H, W, 3) uint8."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([127 + 120 * np.sin(rows / 90 + i + columns / (70 + 20 * i)) for i in range(3)], -1).astype(
        np.uint8
    )


# How much smaller


@pytest.mark.parametrize(
    ("crop_hw", "max_reduction", "expected"),
    [
        ((256, 384), 8, 8),
        ((255, 384), 8, 4),
        ((256, 383), 8, 4),
        ((256, 384), 4, 4),
        ((256, 384), 1, 1),
        ((127, 5000), 8, 2),
        ((63, 5000), 8, 1),
        ((8, 8), 8, 1),
    ],
)
def test_nothing_is_decoded_so_small_that_it_would_be_enlarged(
    crop_hw: tuple[int, int], max_reduction: int, expected: int
):
    image = StoredImage(size_hw=(5000, 5000), max_reduction=max_reduction, decode=lambda _: np.empty(0))
    assert reduction_for(image, Crop(7, 9, *crop_hw, False), (32, 48)) == expected


# On the grid


@st.composite
def crops(draw: st.DrawFn) -> tuple[tuple[int, int], Crop, int]:
    """Size of an image, a crop of it, and a step that is no larger than the crop."""
    image_hw = draw(SIZES), draw(SIZES)
    height, width = (draw(st.integers(1, side)) for side in image_hw)
    top, left = draw(st.integers(0, image_hw[0] - height)), draw(st.integers(0, image_hw[1] - width))
    steps = [step for step in (1, 2, 4, 8) if step <= min(height, width)]
    return image_hw, Crop(top, left, height, width, draw(st.booleans())), draw(st.sampled_from(steps))


@given(crops())
def test_a_crop_on_the_grid_is_inside_and_near_the_one_that_was_drawn(drawn: tuple[tuple[int, int], Crop, int]):
    image_hw, crop, step = drawn
    moved = crop.on_grid(step, image_hw)
    assert moved.flip == crop.flip
    for start, length, old_start, old_length, limit in (
        (moved.top, moved.height, crop.top, crop.height, image_hw[0]),
        (moved.left, moved.width, crop.left, crop.width, image_hw[1]),
    ):
        assert start % step == length % step == 0
        assert start >= 0
        assert length >= step
        assert start + length <= limit
        assert abs(start - old_start) < 2 * step
        assert abs(start + length - old_start - old_length) < step
    assert moved.on_grid(step, image_hw) == moved
    assert crop.on_grid(1, image_hw) == crop
    reduced = moved.reduced(step)
    assert Crop(*(step * side for side in reduced[:4]), crop.flip) == moved
    assert reduced.top + reduced.height <= -(-image_hw[0] // step)
    assert reduced.left + reduced.width <= -(-image_hw[1] // step)


@settings(deadline=None)  # the first one imports torch
@given(crops(), st.integers(1, 60), st.integers(1, 60))
@example(((4, 6), Crop(top=1, left=1, height=2, width=5, flip=False), 1), 1, 1)  # grows past a coarser reduction
def test_a_crop_on_its_grid_is_on_the_one_that_it_is_decoded_for(
    drawn: tuple[tuple[int, int], Crop, int], height: int, width: int
):
    image_hw, crop, _ = drawn
    asked: list[int] = []

    def decode(reduction: int) -> np.ndarray:
        asked.append(reduction)
        return np.zeros((-(-image_hw[0] // reduction), -(-image_hw[1] // reduction), 1), np.uint8)

    image = StoredImage(size_hw=image_hw, max_reduction=8, decode=decode)
    moved = crop.on_grid(reduction_for(image, crop, (height, width)), image_hw)
    assert decode_crop(image, moved, (height, width)).shape == (1, height, width)
    assert moved == Crop(*(asked[0] * side for side in moved.reduced(asked[0])[:4]), crop.flip)
    assert asked[0] == 1 or (moved.height >= asked[0] * height and moved.width >= asked[0] * width)


# What is decoded


@pytest.mark.parametrize("size_hw", [(64, 64), (30, 50), (100, 100), (200, 200), (400, 500)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_reduced_crop_is_close_to_that_of_the_whole_image(size_hw: tuple[int, int], flip: bool):
    with opened(waves(603, 805)) as image:
        crop = Crop(40, 88, 540, 710, flip).on_grid(8, image.size_hw)
        found = decode_crop(image, crop, size_hw)
        expected = crop_image(image.pixels(), crop, size_hw)
        assert (found.shape, found.dtype) == ((3, *size_hw), np.uint8)
        assert np.abs(found.astype(int) - expected).max() <= 8
        assert np.abs(found.astype(int) - expected).mean() < 1.5
        # The neighbouring pixels are further off, so that a shift by one would not pass.
        assert (
            np.abs(found[..., 1:].astype(int) - expected[..., :-1]).mean() > 2 * np.abs(found - 1.0 * expected).mean()
        )


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_the_fraction_that_is_decoded_is_the_one_that_is_enough(step: int):
    with opened(waves(603, 805)) as image:
        crop, size_hw = Crop(8, 16, 256, 320, False), (256 // step, 320 // step)
        assert reduction_for(image, crop, size_hw) == step
        expected = image.pixels(step)[8 // step :, 16 // step :][: size_hw[0], : size_hw[1]]
        np.testing.assert_array_equal(decode_crop(image, crop, size_hw), expected.transpose(2, 0, 1))


@pytest.mark.parametrize("image_hw", [(640, 768), (643, 771), (647, 765)])
@pytest.mark.parametrize("seed", range(4))
def test_image_and_regions_stay_aligned(image_hw: tuple[int, int], seed: int):
    """White blocks are one region: where a crop is not at a block's edge, its region says what its pixel is."""
    pixels, white = blocks(*image_hw, side=64, seed=seed)
    generator = np.random.default_rng(seed)
    height, width = (int(generator.integers(400, side + 1)) for side in image_hw)
    top, left = int(generator.integers(image_hw[0] - height + 1)), int(generator.integers(image_hw[1] - width + 1))
    with opened(pixels) as image:
        drawn = Crop(top, left, height, width, bool(seed % 2))
        crop = drawn.on_grid(reduction_for(image, drawn, (48, 48)), image_hw)
        assert reduction_for(image, crop, (48, 48)) > 1
        found = decode_crop(image, crop, (48, 48)).mean(axis=0) > 127
    runs = LabelRuns.of(np.where(white, 0, -1)[None].astype(np.int32))
    packed = draw_regions(runs, crop, (48, 48), num_regions=1, generator=generator)
    region = np.unpackbits(packed, axis=-1, count=48)[0].astype(bool)
    rows, columns = sample_positions(crop, (48, 48))
    edges = np.abs((rows + 32) % 64 - 32)[:, None] < 12
    inside = ~(edges | (np.abs((columns + 32) % 64 - 32) < 12))
    inside = inside[:, ::-1] if crop.flip else inside
    assert inside.mean() > 0.25
    np.testing.assert_array_equal(found[inside], region[inside])
    assert np.mean(found == region) > 0.97


def test_a_photograph_of_another_form_is_decoded_whole():
    pixels = waves(300, 400)
    with opened(pixels, "PNG") as image:
        crop = Crop(3, 5, 280, 390, True)
        np.testing.assert_array_equal(decode_crop(image, crop, (20, 20)), crop_image(pixels, crop, (20, 20)))
