import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rmae.regions.overlap import stack_masks
from rmae.regions.placed_mask import cut_out


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


def first_fit(masks: list[np.ndarray]) -> list[list[int]]:
    """Which masks each map holds, by the definition: the first map in which none of its masks overlaps."""
    maps: list[list[int]] = []
    for i, mask in enumerate(masks):
        if mask.any():
            free = [members for members in maps if not any((masks[j] & mask).any() for j in members)]
            if not free:
                maps.append(free_map := [])
                free = [free_map]
            free[0].append(i)
    return maps


@given(st.lists(st.tuples(st.integers(0, 2**20 - 1), st.integers(0, 2**20 - 1)), max_size=12))
def test_maps_are_those_of_a_first_fit_in_order(pairs: list[tuple[int, int]]):
    # Two random numbers ANDed: masks that are about a quarter on.
    masks = [np.array(list(f"{a & b:020b}")).reshape(4, 5) == "1" for a, b in pairs]
    expected = first_fit(masks)
    maps = stack_masks(masks, 4, 5)
    assert maps.shape == (len(expected), 4, 5)
    for label_map, members in zip(maps, expected, strict=True):
        assert label_map.max() + 1 == len(members)
        for label, i in enumerate(members):
            np.testing.assert_array_equal(label_map == label, masks[i])


def test_masks_cut_down_to_their_boxes_give_the_same_maps():
    generator = np.random.default_rng(1)
    masks = [generator.random((8, 9)) < share for share in generator.random(30) ** 3]
    boxes = [cut_out(mask) for mask in masks]
    np.testing.assert_array_equal(stack_masks(boxes, 8, 9), stack_masks(masks, 8, 9))


def test_masks_are_not_changed():
    mask = np.ones((2, 2), bool)
    mask.setflags(write=False)
    stack_masks([mask, mask], 2, 2)
    assert mask.all()
