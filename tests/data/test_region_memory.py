import numpy as np
import pytest

from rmae.data.region_memory import RegionMemory

IMAGE = np.zeros((4, 5, 3), np.uint8)


class Counted:
    """A source whose maps depend on the name, and that knows how often it was asked."""

    def __init__(self, offset: int = 0):
        self.calls: list[str] = []
        self.offset = offset

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        self.calls.append(name)
        return np.full((2, *image.shape[:2]), len(name) + self.offset, dtype=np.int32)


@pytest.mark.parametrize("offset", [0, -3, 2**15, 2**31 - 100, -(2**15) - 5])
def test_what_is_remembered_is_what_the_source_gave(offset: int):
    source = Counted(offset)
    memory = RegionMemory(source)
    for name in ("a", "bb", "a", "bb", "a"):
        np.testing.assert_array_equal(memory(IMAGE, name), Counted(offset)(IMAGE, name), strict=True)
    assert source.calls == ["a", "bb"]


def test_changing_a_result_does_not_change_what_is_remembered():
    memory = RegionMemory(Counted())
    for _ in range(3):
        label_maps = memory(IMAGE, "a")
        assert (label_maps == 1).all()
        label_maps[:] = 9


def test_the_map_used_longest_ago_is_forgotten_first():
    source = Counted()
    memory = RegionMemory(source, max_bytes=2 * 2 * 4 * 5 * 2)  # two images of two 16-bit maps
    for name in ("a", "b", "a", "c", "a", "b"):
        memory(IMAGE, name)
    assert source.calls == ["a", "b", "c", "b"]


def test_maps_larger_than_the_memory_are_not_kept():
    source = Counted()
    memory = RegionMemory(source, max_bytes=10)
    assert memory(IMAGE, "a").shape == memory(IMAGE, "a").shape == (2, 4, 5)
    assert source.calls == ["a", "a"]


def test_an_image_without_regions_is_remembered():
    calls = []

    def nothing(image: np.ndarray, name: str) -> np.ndarray:
        calls.append(name)
        return np.empty((0, 4, 5), np.int32)

    memory = RegionMemory(nothing)
    assert memory(IMAGE, "a").shape == memory(IMAGE, "a").shape == (0, 4, 5)
    assert calls == ["a"]
