import numpy as np
import pytest
import skimage.data
from skimage.segmentation import felzenszwalb as reference

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


def test_equal_to_scikit_image():
    for labels, scale in zip(felzenszwalb(CAT, scales=(30, 60)), (30, 60), strict=True):
        np.testing.assert_array_equal(labels, reference(CAT, scale=scale, sigma=0.8, min_size=scale))


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
        ({"scales": (float("nan"),)}, "each finite and >= 0"),
        ({"min_sizes": (1, 2)}, r"min_sizes are \(1, 2\) for 3 scales; give one for each scale"),
        ({"min_sizes": (1, 2, -3)}, "each >= 0 pixels"),
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
