import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from rmae.data.shard_index import Place, ShardIndex, join_indices

HEADER = {"quality": 90, "regions": {"kind": "grid", "rows": 4}}


def index_of(*names: str, header: dict[str, Any] = HEADER, shard: int = 0) -> ShardIndex:
    places = [Place(shard, 512 + i, 7, 1024, 8 * i, 2, 30 + i, 40) for i in range(len(names))]
    array = np.array(places, dtype=np.int64).reshape(-1, len(Place._fields))
    return ShardIndex(header, names, array, ((f"{shard}.png", "it is torn"),))


def same(one: ShardIndex, other: ShardIndex) -> bool:
    one_rest, other_rest = one._replace(places=np.empty(0)), other._replace(places=np.empty(0))
    return (one_rest.header, one_rest.names, one_rest.skipped) == (
        other_rest.header, other_rest.names, other_rest.skipped
    ) and np.array_equal(one.places, other.places)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.mark.parametrize(
    "names", [(), ("a.png",), ("", "a", "ü/日本.jpg", "caf\udce9.png", "a\nb", "\0"), tuple(map(str, range(1000)))]
)
def test_what_was_written_is_read(names: tuple[str, ...], path: Path):
    index = index_of(*names)
    index.write(path)
    assert same(ShardIndex.read(path), index)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_any_name_of_a_file_comes_back(tmp_path_factory: pytest.TempPathFactory, encoded: list[bytes]):
    path = tmp_path_factory.getbasetemp() / "index of any names"
    names = [name.decode("utf-8", "surrogateescape") for name in encoded]
    index_of(*names).write(path)
    assert list(ShardIndex.read(path).names) == names


def test_a_place_has_names():
    place = index_of("a", "b").place(1)
    assert place == Place(0, 513, 7, 1024, 8, 2, 31, 40)
    assert all(type(number) is int for number in place)


def test_indices_are_joined_in_the_order_of_names():
    first, second = index_of("b", "d"), index_of("a", "c", "e", shard=1)
    joined = join_indices([first, index_of(), second])
    assert joined.names == ("a", "b", "c", "d", "e")
    assert [joined.place(i) for i in range(5)] == [
        second.place(0), first.place(0), second.place(1), first.place(1), second.place(2)
    ]  # fmt: skip
    assert joined.skipped == (("0.png", "it is torn"), ("0.png", "it is torn"), ("1.png", "it is torn"))
    assert joined.header == HEADER


def test_of_nothing_an_index_is_joined():
    assert join_indices([index_of()]).names == ()


# Damage


def rewrite(
    path: Path, tensors: dict[str, np.ndarray | None] | None = None, metadata: Any = None, **header: Any
) -> None:
    """Write an index of two images, and change parts of it; None takes one away."""
    index_of("a.png", "b.png").write(path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    known = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["rmae"])
    facts = {name: value for name, value in (known | header).items() if value is not None}
    arrays = {name: array for name, array in (load(content) | (tensors or {})).items() if array is not None}
    path.write_bytes(save(arrays, {"rmae": json.dumps(facts)} if metadata is None else metadata))


COLUMNS = ("shard", "image_at", "image_size", "regions_at", "regions_size", "num_maps", "height", "width")
DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "no safetensors": lambda path: path.write_bytes(b"an image perhaps" * 100),
    "header without end": lambda path: path.write_bytes((2**40).to_bytes(8, "little") + b"{"),
    "no metadata": lambda path: path.write_bytes(save({"names": np.zeros(1)})),
    "of something else": lambda path: rewrite(path, metadata={"format": "pt"}),
    "metadata is no JSON": lambda path: rewrite(path, metadata={"rmae": "{"}),
    "metadata is a list": lambda path: rewrite(path, metadata={"rmae": "[]"}),
    "metadata is a word": lambda path: rewrite(path, metadata={"rmae": '"shards"'}),
    "another format": lambda path: rewrite(path, format="checkpoint"),
    "no format": lambda path: rewrite(path, format=None),
    "no version": lambda path: rewrite(path, version=None),
    "no list of what was skipped": lambda path: rewrite(path, skipped=None),
    "skipped is a number": lambda path: rewrite(path, skipped=3),
    "skipped without reason": lambda path: rewrite(path, skipped=[["a.png"]]),
    "names end outside": lambda path: rewrite(path, {"name_ends": np.array([5, 11], dtype=np.int64)}),
    "names end early": lambda path: rewrite(path, {"name_ends": np.array([5, 9], dtype=np.int64)}),
    "names go back": lambda path: rewrite(path, {"name_ends": np.array([11, 10], dtype=np.int64)}),
    "names end before the first": lambda path: rewrite(path, {"name_ends": np.array([-1, 10], dtype=np.int64)}),
    "one name too many": lambda path: rewrite(path, {"name_ends": np.array([5, 5, 10], dtype=np.int64)}),
    "no name": lambda path: rewrite(path, {"name_ends": np.array([], dtype=np.int64)}),
    "names end at halves": lambda path: rewrite(path, {"name_ends": np.array([5.0, 10.0])}),
    "names end in a table": lambda path: rewrite(path, {"name_ends": np.array([[5, 10]], dtype=np.int64)}),
    "names are numbers": lambda path: rewrite(path, {"names": np.arange(10)}),
    **{f"no {name}": lambda path, name=name: rewrite(path, {name: None}) for name in ("names", "name_ends", *COLUMNS)},
    **{
        f"{kind} {name}": lambda path, name=name, array=array: rewrite(path, {name: array})
        for name in COLUMNS
        for kind, array in {
            "negative": np.array([1, -1], dtype=np.int64),
            "too few": np.array([1], dtype=np.int64),
            "broken": np.array([1.5, 2.0]),
            "nested": np.array([[1, 2], [3, 4]], dtype=np.int64),
            "huge": np.array([2**64 - 1, 1], dtype=np.uint64),
        }.items()
    },
    "all nested": lambda path: rewrite(path, {name: np.ones((2, 2), dtype=np.int64) for name in COLUMNS}),
    "no row": lambda path: rewrite(path, {"height": np.array([1, 0], dtype=np.int64)}),
    "no column": lambda path: rewrite(path, {"width": np.array([0, 1], dtype=np.int64)}),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_one_sentence(damage: Callable[[Path], None], path: Path):
    damage(path)
    with pytest.raises(
        ValueError,
        match=rf"^{re.escape(str(path))} is (no index of shards, or a damaged one|damaged) \(.+\); pack anew$",
    ) as caught:
        ShardIndex.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", range(0, 1000, 13))
def test_an_index_cut_anywhere_is_refused(size: int, path: Path):
    index_of("a.png", "b.png").write(path)
    content = path.read_bytes()
    assert len(content) > 600
    path.write_bytes(content[: min(size, len(content) - 1)])
    with pytest.raises(ValueError, match="is no index of shards, or a damaged one"):
        ShardIndex.read(path)


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_another_version_is_named(version: Any, path: Path):
    rewrite(path, version=version)
    with pytest.raises(ValueError, match=rf"is of shards of format version {version!r}; this rmae reads 1$"):
        ShardIndex.read(path)
