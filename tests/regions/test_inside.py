import numpy as np
import pytest

from rmae.regions.inside import Inside


def test_a_file_of_its_own_has_no_regions_inside():
    with pytest.raises(ValueError, match=r"^the regions of a\.png are to stand beside it, .*; name a source of reg"):
        Inside()(np.zeros((2, 2, 3), np.uint8), "a.png")
