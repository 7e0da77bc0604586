import pickle

import numpy as np
import pytest

from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.live import Live
from rmae.regions.random_masks import RandomMasks

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_it_is_the_source():
    source = Grid(rows=2, columns=3)
    np.testing.assert_array_equal(Live(source=source)(IMAGE, "a.png"), source(IMAGE, "a.png"), strict=True)


def test_the_name_is_passed_on():
    with pytest.raises(ValueError, match="there is no region store"):
        Live(source=RandomMasks(store="missing.regions"))(IMAGE, "a.png")


def test_without_a_source_it_is_the_papers():
    assert Live() == Live(source=Felzenszwalb())


def test_it_is_its_settings():
    live = Live(source=Grid(rows=2, columns=3))
    assert pickle.loads(pickle.dumps(live)) == live == Live(source=Grid(rows=2, columns=3))
    assert hash(live) == hash(Live(source=Grid(rows=2, columns=3)))
    assert live != Live(source=Grid(rows=3, columns=2))
    assert live.kind == "live"
