import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import skimage.data

from rmae.regions.felzenszwalb import Felzenszwalb, felzenszwalb

CAT = skimage.data.chelsea()[100:180, 120:220]


def test_flat_areas_are_the_regions():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = 255
    (labels,) = felzenszwalb(image, scales=(1,), sigma=0)
    np.testing.assert_array_equal(labels, np.broadcast_to(np.arange(30) // 15, (20, 30)))


def test_labels_have_no_gaps_and_the_documented_type():
    label_maps = felzenszwalb(CAT, scales=(20, 50, 100))
    assert (label_maps.shape, label_maps.dtype) == ((3, 80, 100), np.int32)
    for labels in label_maps:
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    sizes = [labels.max() + 1 for labels in label_maps]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 1


def test_scales_together_are_the_scales_alone():
    together = felzenszwalb(CAT, scales=(40, 80), min_sizes=(10, 90), sigma=0.5)
    for i, (scale, min_size) in enumerate(((40, 10), (80, 90))):
        (alone,) = felzenszwalb(CAT, scales=(scale,), min_sizes=(min_size,), sigma=0.5)
        np.testing.assert_array_equal(together[i], alone)
        assert np.bincount(alone.ravel()).min() >= min_size


def test_no_min_sizes_takes_the_scales():
    np.testing.assert_array_equal(
        felzenszwalb(CAT, scales=(40, 80)), felzenszwalb(CAT, scales=(40, 80), min_sizes=(40, 80))
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 5, 1), (7, 5, 4), (7, 5, 6)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_and_number_of_channels(shape: tuple[int, ...], dtype: type):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    assert felzenszwalb(image).shape == (3, *shape[:2])


def test_16_bits_are_the_same_picture():
    np.testing.assert_array_equal(
        felzenszwalb(CAT.astype(np.uint16) * 257, scales=(50,)), felzenszwalb(CAT, scales=(50,))
    )


def test_grey_with_and_without_a_channel_axis():
    np.testing.assert_array_equal(felzenszwalb(CAT[..., 0]), felzenszwalb(CAT[..., :1]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[1, 2], [3, 4]], "the image to segment is a list; give a numpy array"),
        (np.broadcast_to(np.uint8(0), (2**15, 2**15)), "give less than 1,073,741,824 pixels"),
        (np.zeros((4, 4), np.float32), "the image to segment is float32; give uint8 or uint16"),
        (np.zeros((4, 4, 3, 1), np.uint8), r"has shape \(4, 4, 3, 1\); give \(H, W\) or \(H, W, M\)"),
        (np.zeros((0, 4, 3), np.uint8), r"has shape \(0, 4, 3\)"),
    ],
)
def test_wrong_images_are_explained(image: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        felzenszwalb(image)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": ()}, r"scales are \(\); give at least one"),
        ({"scales": (-1.0,)}, r"scales are \(-1.0,\)"),
        ({"scales": (float("nan"),)}, "each from 0 to 2,147,483,647"),
        ({"scales": (1e300,)}, "each from 0 to"),
        ({"min_sizes": (1, 2.5, 3)}, "each a whole number of pixels"),
        ({"min_sizes": (1, 2)}, r"min_sizes are \(1, 2\) for 3 scales; give one for each scale"),
        ({"min_sizes": (1, 2, -3)}, "pixels from 0 to"),
        ({"sigma": -0.1}, "sigma is -0.1; it must be finite and >= 0 pixels"),
        ({"sigma": float("inf")}, "sigma is inf"),
    ],
)
def test_wrong_settings_are_explained_before_any_image_is_read(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Felzenszwalb(**settings)
    with pytest.raises(ValueError, match=message):
        felzenszwalb(CAT, **settings)


def test_the_source_is_the_function():
    source = Felzenszwalb(scales=(40, 80), min_sizes=(10, 20), sigma=0.5)
    expected = felzenszwalb(CAT, scales=(40, 80), min_sizes=(10, 20), sigma=0.5)
    np.testing.assert_array_equal(source(CAT, "any name"), expected)


def quadrants(*values: tuple[int, ...]) -> np.ndarray:
    """An image of 20 x 21 pixels in four parts, in the order of raster."""
    image = np.zeros((20, 21, len(values[0])), np.uint8)
    for i, value in enumerate(values):
        image[10 * (i // 2) : 10 * (i // 2) + 10, 10 * (i % 2) : (10 if i % 2 == 0 else 21)] = value
    return image


@pytest.mark.parametrize(
    "image",
    [
        quadrants((0,), (51,), (102,), (153,)),
        quadrants((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)),
    ],
)
def test_four_flat_quadrants_are_four_segments(image: np.ndarray):
    """As scikit-image expects of its own function, in grey and in colour."""
    (labels,) = felzenszwalb(image, scales=(1,), min_sizes=(20,), sigma=0)
    expected = np.add.outer(np.arange(20) // 10 * 2, np.arange(21) >= 10)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("image", [skimage.data.coins()[20:168, 0:128], skimage.data.coffee()[::4, ::4]])
def test_no_segment_is_smaller_than_the_smallest_size(image: np.ndarray):
    sizes = range(10, 100, 10)
    for labels, min_size in zip(
        felzenszwalb(image, scales=(1,) * 9, min_sizes=tuple(sizes), sigma=3), sizes, strict=True
    ):
        assert np.bincount(labels.ravel()).min() >= min_size


def test_small_segments_join_their_nearest_neighbour():
    image = np.array([[0, 77], [178, 255]], np.uint8)
    (labels,) = felzenszwalb(image, scales=(0,), min_sizes=(2,), sigma=0)
    np.testing.assert_array_equal(labels, [[0, 0], [1, 1]])


def test_memory_layout_and_writability_do_not_matter():
    read_only = CAT.copy()
    read_only.flags.writeable = False
    expected = felzenszwalb(CAT, scales=(50,))
    for image in (read_only, np.asfortranarray(CAT), CAT[:, ::-1][:, ::-1], np.flip(CAT.copy(), 2)[..., ::-1]):
        np.testing.assert_array_equal(felzenszwalb(image, scales=(50,)), expected)


def test_settings_may_be_arrays():
    expected = felzenszwalb(CAT, scales=(40, 80), min_sizes=(10, 90))
    np.testing.assert_array_equal(felzenszwalb(CAT, scales=np.array([40, 80]), min_sizes=np.array([10, 90])), expected)


def test_threads_do_not_disturb_each_other():
    images = [np.ascontiguousarray(np.roll(CAT, shift, axis=1)) for shift in range(4)]
    expected = [felzenszwalb(image, scales=(30, 60)) for image in images]
    results: dict[int, np.ndarray] = {}

    def segment(i: int) -> None:
        for _ in range(5):
            results[i] = felzenszwalb(images[i], scales=(30, 60))

    threads = [threading.Thread(target=segment, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        np.testing.assert_array_equal(results[i], expected[i])


def run_python(program: str, **environment: str) -> str:
    """Run a program in a process of its own; returns what it prints."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


MEMORY_PROGRAM = """
from pathlib import Path
import numpy as np
from rmae.regions.felzenszwalb import felzenszwalb

def resident(which):
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[which].split()[0]) * 1024

image = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
if two_values:  # far apart, so that one range of costs holds nearly all edges
    image = np.where(image < 3, 255, 0).astype(np.uint8)
num_edges = 4 * 600 * 800
felzenszwalb(image[:9, :9])
Path("/proc/self/clear_refs").write_text("5")  # the peak so far does not count
before = resident("VmRSS")
labels = felzenszwalb(image)
needed = resident("VmHWM") - before - labels.nbytes
del labels
felzenszwalb(image)
after_two = resident("VmRSS")
for _ in range(2):
    felzenszwalb(image)
print(needed / num_edges, (resident("VmRSS") - after_two) / num_edges)
"""


@pytest.mark.parametrize("two_values", [False, True])
def test_memory_for_scratch_is_bounded_and_given_back(two_values: bool):
    needed, kept = map(float, run_python(f"two_values = {two_values}\n{MEMORY_PROGRAM}").split())
    assert 10 < needed <= 40
    assert kept < 2


def test_without_a_place_for_its_cache_it_compiles_silently():
    program = """
import numba
from rmae.regions.kernels.compiled import compiled
add = lambda a, b: a + b  # of no file, so there is no folder beside it
try:
    numba.njit(cache=True)(add)
except RuntimeError as error:
    print("no locator available" in str(error))
print(compiled(add)(1, 2))
"""
    assert run_python(program).split() == ["True", "3"]
