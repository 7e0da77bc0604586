"""Labels are scikit-image's, label for label."""

from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.segmentation import felzenszwalb as segment

from rmae.regions.felzenszwalb import felzenszwalb

PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png",
    "logo.png", "microaneurysms.png", "moon.png", "motorcycle_left.png", "motorcycle_right.png", "page.png",
    "phantom.png", "rocket.jpg", "text.png",
)  # fmt: skip
"""Pictures that scikit-image ships, all but its largest (a test of its own) and its chessboards."""

argsort = np.argsort


def reference(image: np.ndarray, *, scale: float, min_size: int, sigma: float) -> np.ndarray:
    """scikit-image's labels, with edges of equal cost in the order in which they are listed."""
    pixels = image.reshape(*image.shape[:2], -1) * (1 / np.iinfo(image.dtype).max)
    with (
        mock.patch("numpy.argsort", lambda costs: argsort(costs, kind="stable")),
        np.errstate(all="ignore"),
        pytest.warns(RuntimeWarning) if pixels.shape[2] > 3 else nullcontext(),  # that there are many channels
    ):
        return segment(pixels, scale=scale, min_size=min_size, sigma=sigma, channel_axis=-1)


def assert_parity(image: np.ndarray, scales: tuple[float, ...], min_sizes: tuple[int, ...], sigma: float) -> None:
    label_maps = felzenszwalb(image, scales=scales, min_sizes=min_sizes, sigma=sigma)
    for labels, scale, min_size in zip(label_maps, scales, min_sizes, strict=True):
        expected = reference(image, scale=scale, min_size=min_size, sigma=sigma)
        np.testing.assert_array_equal(labels, expected, err_msg=f"{scale=} {min_size=} {sigma=} {image.shape=}")


def photograph(name: str) -> np.ndarray:
    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        return np.asarray(image)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs(name: str):
    assert_parity(photograph(name), (500, 1000), (500, 1000), 0.8)


@pytest.mark.slow
def test_a_large_photograph():
    assert_parity(photograph("retina.jpg"), (500, 1000, 1500), (500, 1000, 1500), 0.8)


def chessboard(height: int, width: int, side: int = 1) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width] // side
    return ((rows + columns) % 2 * 255).astype(np.uint8)


SYNTHETIC = {
    "noise": np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8),
    "two values": np.random.default_rng(1).integers(0, 2, (60, 80), dtype=np.uint8) * np.uint8(255),
    "flat": np.full((64, 48, 3), 77, np.uint8),
    "gradient": np.broadcast_to(np.arange(120, dtype=np.uint8), (90, 120)).copy(),
    "slope": np.add.outer(np.arange(100), np.arange(120)).astype(np.uint8),
    "chessboard": chessboard(50, 70),
    "large chessboard": chessboard(64, 96, side=16),
    "one pixel": np.full((1, 1, 3), 9, np.uint8),
    "one row": np.random.default_rng(2).integers(0, 256, (1, 200, 3), dtype=np.uint8),
    "one column": np.random.default_rng(3).integers(0, 256, (200, 1, 3), dtype=np.uint8),
    "two pixels": np.array([[0, 255]], np.uint8),
    "odd size": np.random.default_rng(4).integers(0, 256, (7, 131, 3), dtype=np.uint8),
    "16 bits": np.random.default_rng(5).integers(0, 65536, (33, 45, 3), dtype=np.uint16),
    "faint 16 bits": np.random.default_rng(6).integers(30000, 30004, (40, 40), dtype=np.uint16),
    "many channels": np.random.default_rng(7).integers(0, 256, (20, 30, 12), dtype=np.uint8),
    "130 channels": np.random.default_rng(8).integers(0, 256, (10, 12, 130), dtype=np.uint8),
    "300 channels": np.random.default_rng(9).integers(0, 256, (5, 6, 300), dtype=np.uint8),
}


@pytest.mark.parametrize("sigma", [0, 0.8, 6])
@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_images(name: str, sigma: float):
    assert_parity(SYNTHETIC[name], (0, 1, 30, 300, 2000), (0, 5, 30, 10, 2000), sigma)
    assert_parity(SYNTHETIC[name], (200, 20, 60), (5, 50, 0), sigma)


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    """Small images of few or many grey levels, since few make ties, enlarged or not, since that makes flat areas."""
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    shape = (height, width) if draw(st.booleans()) else (height, width, draw(st.integers(1, 5)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    levels = draw(st.sampled_from([1, 2, 3, 16, 256]))
    values = np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, levels, shape)
    image = (values * (np.iinfo(dtype).max // max(levels - 1, 1))).astype(dtype)
    factor = draw(st.integers(1, 3))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    image=images(),
    settings_of_scales=st.lists(st.tuples(st.floats(0, 3000), st.integers(0, 3000)), min_size=1, max_size=4),
    sigma=st.one_of(st.just(0.0), st.floats(0, 12)),
)
def test_any_image_and_settings(image: np.ndarray, settings_of_scales: list[tuple[float, int]], sigma: float):
    scales, min_sizes = zip(*settings_of_scales, strict=True)
    assert_parity(image, scales, min_sizes, sigma)
