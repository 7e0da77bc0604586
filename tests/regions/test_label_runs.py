import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from zstandard import ZstdCompressor, ZstdDecompressor

from rmae.regions.label_runs import LabelRuns

LABELS = (-(2**31), -5, -1, 0, 1, 2, 300, 2**31 - 1)
"""Both ends of 32 bits, and what stands for no region."""

any_label_maps = arrays(
    np.int32,
    st.tuples(st.integers(0, 4), st.integers(1, 12), st.integers(1, 12)),
    elements=st.sampled_from(LABELS) | st.integers(-(2**31), 2**31 - 1),
    fill=st.sampled_from(LABELS),  # so that there are long runs, too
)


def noise(*shape: int, labels: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(-1, labels, shape, dtype=np.int32)


def unpack(packed: bytes, shape: tuple[int, ...]) -> LabelRuns:
    return LabelRuns.unpack(packed, num_maps=shape[0], height=shape[1], width=shape[2])


def test_runs_go_along_the_rows():
    maps = np.array([[[7, 7, 7], [7, 7, -1]], [[0, 1, 0], [-5, -5, -5]]], dtype=np.int32)
    runs = LabelRuns.of(maps)
    np.testing.assert_array_equal(runs.counts, np.array([[1, 2], [3, 1]], dtype=np.uint32), strict=True)
    np.testing.assert_array_equal(runs.lengths, np.array([3, 2, 1, 1, 1, 1, 3], dtype=np.uint32), strict=True)
    np.testing.assert_array_equal(runs.labels, np.array([7, 7, -1, 0, 1, 0, -5], dtype=np.int32), strict=True)
    assert runs.width == 3


@given(any_label_maps)
def test_round_trip(maps: np.ndarray):
    runs = LabelRuns.of(maps)
    np.testing.assert_array_equal(runs.label_maps(), maps, strict=True)
    unpacked = unpack(runs.pack(), maps.shape)
    np.testing.assert_array_equal(unpacked.label_maps(), maps, strict=True)
    for found, expected in zip(unpacked[:3], runs[:3], strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)
    assert unpacked.width == runs.width


@pytest.mark.parametrize("shape", [(0, 3, 4), (1, 1, 1), (2, 1, 9), (2, 9, 1), (3, 480, 640)])
def test_round_trip_of_shapes(shape: tuple[int, ...]):
    maps = noise(*shape)
    np.testing.assert_array_equal(unpack(LabelRuns.of(maps).pack(), shape).label_maps(), maps, strict=True)


def test_few_large_regions_take_little_room():
    halves = np.broadcast_to((np.arange(640) >= 320).astype(np.int32), (3, 480, 640))
    assert len(LabelRuns.of(halves).pack()) < 200


@given(any_label_maps)
def test_areas_are_those_of_the_masks(maps: np.ndarray):
    expected = [int((labels == label).sum()) for labels in maps for label in np.unique(labels[labels >= 0])]
    areas = LabelRuns.of(maps).areas()
    assert areas.dtype == np.int64
    assert areas.tolist() == expected


@given(any_label_maps)
def test_dense_labels_keep_order_and_regions_in_a_small_table(maps: np.ndarray):
    runs = LabelRuns.of(maps)
    dense = runs.dense_labels()
    assert (dense.shape, dense.dtype) == (runs.labels.shape, np.int32)
    np.testing.assert_array_equal(dense < 0, runs.labels < 0)
    is_region = runs.labels >= 0
    pairs = sorted(set(zip(runs.labels[is_region].tolist(), dense[is_region].tolist(), strict=True)))
    assert [new for _, new in pairs] == sorted({new for _, new in pairs})
    assert len({old for old, _ in pairs}) == len(pairs)
    assert dense.max(initial=-1) <= 4 * len(dense)


def test_small_labels_are_dense_as_they_are():
    small, large = (np.array([[[-5, -1, 3, label]]], dtype=np.int32) for label in (16, 17))
    np.testing.assert_array_equal(LabelRuns.of(small).dense_labels(), np.array([-5, -1, 3, 16], dtype=np.int32))
    np.testing.assert_array_equal(LabelRuns.of(large).dense_labels(), np.array([-1, -1, 0, 1], dtype=np.int32))


def read_only(maps: np.ndarray) -> np.ndarray:
    maps = maps.copy()
    maps.flags.writeable = False
    return maps


@pytest.mark.parametrize("lay_out", [read_only, np.asfortranarray, lambda maps: maps[:, ::-1].copy()[:, ::-1]])
def test_memory_layout_and_writability_do_not_matter(lay_out: Callable[[np.ndarray], np.ndarray]):
    maps = noise(3, 20, 31)
    expected, runs = LabelRuns.of(maps), LabelRuns.of(lay_out(maps))
    assert runs.pack() == expected.pack()
    np.testing.assert_array_equal(runs.label_maps(), maps, strict=True)


def test_label_maps_may_be_written_to():
    packed = LabelRuns.of(noise(1, 2, 3)).pack()
    runs = unpack(packed, (1, 2, 3))
    runs.label_maps()[:] = 9
    np.testing.assert_array_equal(runs.label_maps(), noise(1, 2, 3))


# Damaged bytes


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (1, 40, 60)])
def test_truncated_bytes_are_refused(shape: tuple[int, ...]):
    packed = LabelRuns.of(noise(*shape)).pack()
    for length in range(len(packed)):
        with pytest.raises(ValueError, match=r"^its bytes are damaged \("):
            unpack(packed[:length], shape)


def test_more_bytes_than_there_should_be_are_refused():
    packed = LabelRuns.of(noise(2, 5, 7)).pack()
    for more in (b"\0", packed):
        with pytest.raises(ValueError, match="its bytes are damaged"):
            unpack(packed + more, (2, 5, 7))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (1, 8, 30)])
def test_no_flipped_bits_give_other_label_maps(shape: tuple[int, ...]):
    """Of every byte, each bit and all: some codes have another form of the same meaning, all others are noticed."""
    maps = noise(*shape)
    packed = LabelRuns.of(maps).pack()
    noticed = 0
    for place in range(len(packed)):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            damaged = bytearray(packed)
            damaged[place] ^= flip
            try:
                runs = unpack(bytes(damaged), shape)
            except ValueError:
                noticed += 1
            else:
                np.testing.assert_array_equal(runs.label_maps(), maps, strict=True)
    assert noticed > 0.95 * 9 * len(packed)


@pytest.mark.parametrize("length", [0, 1, 30, 1000])
def test_random_bytes_are_refused(length: int):
    with pytest.raises(ValueError, match="its bytes are damaged"):
        unpack(np.random.default_rng(length).bytes(length), (2, 5, 7))


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7), (2, 4, 7), (2, 6, 7), (2, 5, 6), (2, 5, 8), (0, 5, 7)])
def test_bytes_of_another_shape_are_refused(shape: tuple[int, ...]):
    packed = LabelRuns.of(noise(2, 5, 7)).pack()
    with pytest.raises(ValueError, match=r"its bytes are (not )?of .*\d label maps of \d x \d pixels"):
        unpack(packed, shape)


def frame(counts: list[int], lengths: list[int], labels: list[int], *, spare: bytes = b"") -> bytes:
    """What `pack` would write of runs, whether or not they fit."""
    values = np.array([*counts, *lengths, *(label + 1 for label in labels)], dtype="<i4")
    planes = values.view(np.uint8).reshape(-1, 4).T.tobytes()
    return ZstdCompressor(write_checksum=True).compress(b"\4" + planes + spare)


@pytest.mark.parametrize(
    ("counts", "lengths", "labels"),
    [
        ([1, 1], [3, 2], [0, 1]),  # a row that is not filled
        ([1, 1], [4, 2], [0, 1]),  # a run beyond the end of its row
        ([2, 1], [3, 0, 3], [0, 1, 2]),  # a run of nothing
        ([1, 2], [3, 3], [0, 1]),  # fewer runs than counted
        ([1, 1], [3, 3, 3], [0, 1, 2]),  # more runs than counted
        ([0, 2], [3, 3], [0, 1]),  # a row of two rows
        ([2**31 - 1, 1], [3, 3], [0, 1]),
        ([-1, 1], [3, 3], [0, 1]),  # 2**32 - 1
        ([2, 1], [-1, 4, 3], [0, 1, 2]),  # 2**32 - 1 + 4 = 3, in 32 bits
    ],
)
def test_whole_bytes_whose_runs_do_not_fill_the_rows_are_refused(
    counts: list[int], lengths: list[int], labels: list[int]
):
    assert unpack(frame([1, 2], [3, 1, 2], [5, 6, 7]), (1, 2, 3)).label_maps().tolist() == [[[5, 5, 5], [6, 7, 7]]]
    with pytest.raises(ValueError, match="its bytes are not of 1 label maps of 2 x 3 pixels"):
        unpack(frame(counts, lengths, labels), (1, 2, 3))


def test_bytes_between_two_values_are_refused():
    with pytest.raises(ValueError, match="its bytes are not of 1 label maps of 2 x 3 pixels"):
        unpack(frame([1, 1], [3, 3], [0, 1], spare=b"\0\0\0\0"), (1, 2, 3))


@pytest.mark.parametrize("content", [b"", b"\1", b"\0\1\1\1\1\1\1", b"\5" + bytes(30), b"\2" + bytes(11)])
def test_bytes_of_no_whole_number_of_numbers_are_refused(content: bytes):
    with pytest.raises(ValueError, match="its bytes are not of 1 label maps of 2 x 3 pixels"):
        unpack(ZstdCompressor(write_checksum=True).compress(content), (1, 2, 3))


@pytest.mark.parametrize(("largest", "num_bytes"), [(-1, 1), (253, 1), (254, 1), (255, 2), (2**16, 3), (2**31 - 1, 4)])
def test_a_number_takes_as_many_bytes_as_the_largest_needs(largest: int, num_bytes: int):
    maps = np.array([[[-1, largest, 3]]], dtype=np.int32)
    packed = LabelRuns.of(maps).pack()
    num_runs = 2 if largest == -1 else 3
    assert len(ZstdDecompressor().decompress(packed)) == 1 + num_bytes * (1 + 2 * num_runs)
    np.testing.assert_array_equal(unpack(packed, (1, 1, 3)).label_maps(), maps)


@pytest.mark.parametrize("size", [10**4, 2**40, 2**63, 2**64 - 3])
def test_a_frame_that_claims_a_huge_size_is_refused_before_it_is_unpacked(size: int):
    claim = b"\x28\xb5\x2f\xfd" + b"\xe0" + size.to_bytes(8, "little")
    with pytest.raises(ValueError, match="its bytes are of more than 2 label maps of 5 x 7 pixels"):
        unpack(claim + b"\0" * 100, (2, 5, 7))


def test_a_frame_that_does_not_say_its_size_is_refused():
    silent = ZstdCompressor(write_content_size=False).compress(bytes(12))
    with pytest.raises(ValueError, match="its bytes are damaged"):
        unpack(silent, (1, 1, 1))


def packed_zeros(num: int) -> bytes:
    """A frame of as many numbers, all 0 and packed into a byte each."""
    packing = ZstdCompressor(level=1, write_checksum=True).compressobj(size=1 + num)
    pieces = [packing.compress(b"\1"), *(packing.compress(bytes(2**20)) for _ in range(num // 2**20))]
    return b"".join([*pieces, packing.compress(bytes(num % 2**20)), packing.flush()])


def test_small_numbers_that_would_take_gigabytes_are_refused_before_they_do():
    packed = packed_zeros(2**28 + 2)
    assert len(packed) < 50_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="its bytes are of more than the 268,435,456 numbers that are allowed"):
            unpack(packed, (1, 2**15, 2**15))
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()


def test_more_runs_than_are_read_are_not_packed():
    many = np.broadcast_to(np.uint32(1), 2**27)
    runs = LabelRuns(np.array([[2**27]], dtype=np.uint32), many, many.view(np.int32), 2**27)
    with pytest.raises(ValueError, match="there are 134,217,728 runs of equal labels, more than can be kept"):
        runs.pack()
