import numpy as np

from rmae.regions.overlap import stack_masks


def row(text: str) -> np.ndarray:
    return np.array([[character == "x" for character in text]])


def test_masks_that_do_not_overlap_share_a_map():
    maps = stack_masks([row("xx..."), row("...xx"), row("..x..")], 1, 5)
    np.testing.assert_array_equal(maps, [[[0, 0, 2, 1, 1]]])
    assert maps.dtype == np.int32


def test_masks_that_overlap_stand_in_different_maps():
    maps = stack_masks([row("xxx.."), row(".xxx."), row("....x"), row("..x..")], 1, 5)
    np.testing.assert_array_equal(maps, [[[0, 0, 0, -1, 1]], [[-1, 0, 0, 0, -1]], [[-1, -1, 0, -1, -1]]])


def test_empty_masks_are_left_out():
    np.testing.assert_array_equal(stack_masks([row("..."), row("x..")], 1, 3), [[[0, -1, -1]]])


def test_without_masks_there_are_no_maps():
    for masks in ([], [row("...")]):
        maps = stack_masks(masks, 1, 3)
        assert (maps.shape, maps.dtype) == ((0, 1, 3), np.int32)


def test_every_mask_comes_back_whole():
    generator = np.random.default_rng(0)
    masks = [generator.random((6, 7)) < share for share in generator.random(40) * 0.4]
    maps = stack_masks(iter(masks), 6, 7)
    found = {(label_map == label).tobytes() for label_map in maps for label in range(label_map.max() + 1)}
    assert found == {mask.tobytes() for mask in masks if mask.any()}
    assert len(maps) < len(masks)
