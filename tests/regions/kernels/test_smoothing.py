import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from rmae.regions.kernels.smoothing import smooth


@pytest.mark.parametrize("sigma", [0, 0.05, 0.12, 0.13, 0.3, 0.8, 1, 2.5, 7, 20])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (7, 1, 2), (40, 50, 3), (5, 300, 4), (31, 17, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_smoothing_is_scipys_to_the_last_bit(dtype: type, shape: tuple[int, ...], sigma: float):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    expected = gaussian_filter(image * (1 / np.iinfo(dtype).max), sigma=[sigma, sigma, 0], mode="reflect")
    np.testing.assert_array_equal(smooth(image, sigma), np.moveaxis(expected, 2, 0), strict=True)
