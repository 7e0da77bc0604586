import numpy as np
import pytest
import skimage.data
from skimage.segmentation import slic as reference

from rmae.regions.slic import Slic

CAT = skimage.data.chelsea()[100:180, 120:220]


def test_one_map_for_each_number_as_scikit_image_makes_it():
    maps = Slic(num_segments=(10, 80), compactness=5.0, sigma=0.5)(CAT, "")
    assert maps.dtype == np.int32
    for labels, number in zip(maps, (10, 80), strict=True):
        expected = reference(CAT, n_segments=number, compactness=5.0, sigma=0.5, start_label=0)
        np.testing.assert_array_equal(labels, expected)


def test_numbers_are_about_those_asked_for():
    for labels, number in zip(Slic(num_segments=(10, 80))(CAT, ""), (10, 80), strict=True):
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
        assert 0.6 * number < labels.max() + 1 < 1.5 * number


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (9, 1, 1), (7, 5, 2), (7, 5, 4), (7, 5, 6)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("num_segments", [1, 50, 10_000])
def test_any_size_number_of_channels_and_content(shape: tuple[int, ...], dtype: type, num_segments: int):
    generator = np.random.default_rng(0)
    for image in (generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype), np.zeros(shape, dtype)):
        (labels,) = Slic(num_segments=(num_segments,))(image, "")
        assert labels.shape == shape[:2]
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_16_bits_are_the_same_picture():
    np.testing.assert_array_equal(Slic()(CAT.astype(np.uint16) * 257, ""), Slic()(CAT, ""))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_segments": ()}, r"num_segments is \(\); give at least one number, each >= 1"),
        ({"num_segments": (5, 0)}, r"num_segments is \(5, 0\)"),
        ({"compactness": 0.0}, "compactness is 0.0; it must be finite and > 0"),
        ({"compactness": float("nan")}, "compactness is nan"),
        ({"sigma": -1.0}, "sigma is -1.0; it must be finite and >= 0 pixels"),
        ({"sigma": float("inf")}, "sigma is inf"),
    ],
)
def test_wrong_settings_are_explained(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Slic(**settings)
