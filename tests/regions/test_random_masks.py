import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from rmae.regions.blobs import draw_blob
from rmae.regions.overlap import stack_masks
from rmae.regions.random_masks import RandomMasks
from rmae.regions.store import StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter

IMAGE = np.zeros((30, 40, 3), np.uint8)
LABEL_MAPS = np.full((2, 30, 40), -1, np.int32)
LABEL_MAPS[0, :20] = 7
LABEL_MAPS[0, 20:, :3] = 2
LABEL_MAPS[0, 0, 0] = 3
LABEL_MAPS[1] = 0
LABEL_MAPS[1, 5:9, 5:9] = 1
AREAS = [30, 1, 799, 1184, 16]
"""Pixels of the regions, map by map, by rising label."""


def write_store(folder: Path) -> str:
    with StoreWriter(folder / "a.regions", StoreHeader({"kind": "grid"}, 3, "", 0, 0)) as writer:
        writer.add(PackedRegions.of("a.jpg", LABEL_MAPS))
        writer.add(PackedRegions.of("b.jpg", LABEL_MAPS))
        writer.add(PackedRegions.of("none.jpg", np.full((1, 30, 40), -1, np.int32)))
        writer.finish()
    return str(folder / "a.regions")


def areas_of(label_maps: np.ndarray) -> list[int]:
    return [int(count) for labels in label_maps for count in np.bincount(labels[labels >= 0])]


def test_areas_are_those_of_the_store(tmp_path: Path):
    label_maps = RandomMasks(store=write_store(tmp_path))(IMAGE, "a.jpg")
    assert label_maps.dtype == np.int32
    assert sorted(areas_of(label_maps)) == sorted(AREAS)


def test_blobs_are_drawn_in_the_order_of_the_store_from_seed_and_hashed_name(tmp_path: Path):
    generator = np.random.default_rng([5, int(hashlib.sha256(b"a.jpg").hexdigest(), 16)])
    expected = stack_masks([draw_blob(area, 30, 40, generator) for area in AREAS], 30, 40)
    np.testing.assert_array_equal(RandomMasks(store=write_store(tmp_path), seed=5)(IMAGE, "a.jpg"), expected)


def test_blobs_depend_on_seed_and_name_and_nothing_else(tmp_path: Path):
    path = write_store(tmp_path)
    source = RandomMasks(store=path, seed=3)
    maps = source(IMAGE, "a.jpg")
    np.random.default_rng().random()
    source(IMAGE, "b.jpg")
    for again in (source, RandomMasks(store=path, seed=3), pickle.loads(pickle.dumps(source))):
        np.testing.assert_array_equal(again(IMAGE, "a.jpg"), maps)
    # Compared by the largest blob, since the number of maps may differ.
    largest = [
        (labels == np.bincount(labels[labels >= 0]).argmax()).tobytes()
        for other in (maps, source(IMAGE, "b.jpg"), RandomMasks(store=path, seed=4)(IMAGE, "a.jpg"))
        for labels in other
        if np.count_nonzero(labels >= 0) >= 1184
    ]
    assert len(set(largest)) == 3


def test_an_image_without_regions_has_no_maps(tmp_path: Path):
    assert RandomMasks(store=write_store(tmp_path))(IMAGE, "none.jpg").shape == (0, 30, 40)


def test_what_the_store_lacks_is_explained(tmp_path: Path):
    source = RandomMasks(store=write_store(tmp_path))
    with pytest.raises(ValueError, match=r"a\.regions has no regions of c\.jpg"):
        source(IMAGE, "c.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg at 30 x 40 pixels, but the image has 29 x 40"):
        source(IMAGE[1:], "a.jpg")
    with pytest.raises(ValueError, match=r"there is no region store .*b\.regions"):
        RandomMasks(store=str(tmp_path / "b.regions"))(IMAGE, "a.jpg")


def test_negative_seeds_are_refused():
    with pytest.raises(ValueError, match="seed is -1; it must be at least 0"):
        RandomMasks(store="a.regions", seed=-1)
