import json
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmae.data.shard_index import ShardIndex, join_indices
from rmae.data.shard_writer import PackedImage, ShardWriter, _checksum, read_part
from rmae.data.shards import INDEX, Shards, shard_path
from rmae.data.skips import Skipped
from rmae.regions.label_runs import LabelRuns
from rmae.regions.store_lock import StoreBusyError

Limit = Callable[[int], AbstractContextManager[None]]
HEADER: dict[str, Any] = {"quality": 90, "regions": {"kind": "grid"}}


def packed_image(number: int, *, with_regions: bool = True) -> PackedImage:
    """An image of a few hundred bytes that are no image."""
    generator = np.random.default_rng(number)
    label_maps = generator.integers(-1, 5, (2, 3 + number, 7), dtype=np.int32)
    regions = LabelRuns.of(label_maps).pack() if with_regions else None
    name = ("caf\udce9.png", "b/ü.jpg", "c.png", "d.png")[number]
    content = generator.bytes(500 + 13 * number)
    return PackedImage(number, name, content, "jpg", *label_maps.shape[1:], regions, 2 if with_regions else 0)


IMAGES = [packed_image(number) for number in range(4)]


def write(folder: Path, images: list[PackedImage] = IMAGES) -> tuple[bytes, bytes]:
    """Write one shard, going on with what is there; returns its bytes and those of its index."""
    folder.mkdir(exist_ok=True)
    with ShardWriter(folder, 0, HEADER) as writer:
        writer.skip(Skipped("torn.png", "no image"))
        for image in images:
            if image.name not in writer.names:
                writer.add(image)
        writer.finish()
    assert {file.name for file in folder.iterdir()} == {"shard-000000.tar", "shard-000000.index"}
    return shard_path(folder, 0).read_bytes(), (folder / "shard-000000.index").read_bytes()


def write_partly(folder: Path, images: list[PackedImage] = IMAGES) -> Path:
    """Write what a killed writer leaves; returns the file."""
    folder.mkdir(exist_ok=True)
    with ShardWriter(folder, 0, HEADER) as writer:
        for image in images:
            writer.add(image)
    (partial,) = folder.iterdir()
    return partial


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def read_all(folder: Path) -> list[tuple[str, bytes, bytes]]:
    part = read_part(folder, 0)
    assert part is not None
    join_indices([part]).write(folder / INDEX)
    shards = Shards(folder)
    return [(name, shards.open(name).read(), shards.regions(name).pack()) for name in part.names]


# Writing


@pytest.mark.parametrize("with_regions", [True, False])
def test_the_index_says_where_everything_is(with_regions: bool, tmp_path: Path):
    images = [packed_image(number, with_regions=with_regions) for number in range(4)]
    content, _ = write(tmp_path / "a", images)
    part = read_part(tmp_path / "a", 0)
    assert part is not None
    assert part.header == HEADER
    assert part.names == tuple(image.name for image in images)
    assert part.skipped == (("torn.png", "no image"),)
    for number, image in enumerate(images):
        place = part.place(number)
        assert content[place.image_at :][: place.image_size] == image.image
        assert content[place.regions_at :][: place.regions_size] == (image.regions or b"")
        assert (place.shard, place.num_maps) == (0, image.num_maps)
        assert (place.height, place.width) == (image.height, image.width)


def test_a_shard_is_a_tar_of_images_regions_and_facts(tmp_path: Path):
    write(tmp_path / "a")
    with tarfile.open(shard_path(tmp_path / "a", 0)) as tar:
        members = tar.getmembers()
        contents = [tar.extractfile(member).read() for member in members]  # pyright: ignore[reportOptionalMemberAccess]
    suffixes = ("jpg", "regions", "json")
    assert [member.name for member in members] == [f"{i:09d}.{suffix}" for i in range(4) for suffix in suffixes]
    for image, content, regions, facts in zip(IMAGES, contents[::3], contents[1::3], contents[2::3], strict=True):
        assert (content, regions) == (image.image, image.regions)
        known = json.loads(facts)
        assert (known["name"], known["height"], known["width"]) == (image.name, image.height, image.width)
        assert known["num_maps"] == image.num_maps


def test_a_shard_without_images_is_one(tmp_path: Path):
    """Where none of its images can be used."""
    content, _ = write(tmp_path / "a", [])
    assert content == bytes(1024)
    part = read_part(tmp_path / "a", 0)
    assert part is not None
    assert (part.names, part.places.shape, part.skipped) == ((), (0, 8), (("torn.png", "no image"),))


def test_an_unfinished_shard_has_no_index(tmp_path: Path):
    partial = write_partly(tmp_path / "a")
    assert partial.name == "shard-000000.tar.partial"
    assert read_part(tmp_path / "a", 0) is None


def test_a_shard_has_one_writer(tmp_path: Path):
    with ShardWriter(tmp_path, 0, HEADER) as writer:
        writer.add(IMAGES[0])
        with pytest.raises(StoreBusyError, match=r"another process is writing .*shard-000000\.tar; wait until it is d"):
            ShardWriter(tmp_path, 0, HEADER)
        with ShardWriter(tmp_path, 1, HEADER):
            pass
    with ShardWriter(tmp_path, 0, HEADER) as writer:
        assert writer.names == {IMAGES[0].name}


# Going on


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_a_file_cut_anywhere_is_gone_on_with_from_its_last_whole_image(step: int, tmp_path: Path):
    expected = write(tmp_path / "unbroken")
    content = write_partly(tmp_path / "partly").read_bytes()
    assert expected[0] == content + bytes(1024)
    part = ShardIndex.read(tmp_path / "unbroken" / "shard-000000.index")
    with tarfile.open(shard_path(tmp_path / "unbroken", 0)) as tar:
        last = [member for member in tar.getmembers() if member.name.endswith(".json")]
    # An image is whole when its facts are: what fills their last block up may be missing.
    wholes = [member.offset_data + member.size for member in last]
    folder = tmp_path / "cut"
    for size in range(0, len(expected[0]) + 1, step):
        folder.mkdir(exist_ok=True)
        partial = folder / "shard-000000.tar.partial"
        partial.write_bytes(expected[0][:size])
        with ShardWriter(folder, 0, HEADER) as writer:
            found = writer.names
        least = sum(size >= whole + 512 for whole in wholes)
        most = sum(size >= whole for whole in wholes)
        assert least <= len(found) <= most
        assert found == set(part.names[: len(found)])
        if size % (7 * step) == 0 or len(expected[0]) - size < 2:
            assert write(folder) == expected
            empty(folder)


def test_what_was_corrupted_is_written_again(tmp_path: Path):
    """A bit that turned, or a block that never reached the disk; in what fills blocks up it does no harm."""
    expected = write(tmp_path / "unbroken")
    wanted = read_all(tmp_path / "unbroken")
    content = write_partly(tmp_path / "partly").read_bytes()
    generator = np.random.default_rng(0)
    folder = tmp_path / "corrupted"
    identical = 0
    places = [int(place) for place in generator.integers(0, len(content), 150)]
    for place in places:
        folder.mkdir(exist_ok=True)
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.integers(8)
        (folder / "shard-000000.tar.partial").write_bytes(damaged)
        identical += write(folder) == expected
        assert read_all(folder) == wanted
        empty(folder)
    assert identical > 75
    for start in range(0, len(content), 512):
        folder.mkdir(exist_ok=True)
        damaged = content[:start] + bytes(512) + content[start + 512 :]
        (folder / "shard-000000.tar.partial").write_bytes(damaged)
        assert write(folder) == expected
        empty(folder)


@pytest.mark.parametrize("left", [b"no tar", b"\0" * 5000, b"\xff" * 5000])
def test_what_is_no_tar_is_written_anew(left: bytes, tmp_path: Path):
    expected = write(tmp_path / "unbroken")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "shard-000000.tar.partial").write_bytes(left)
    assert write(tmp_path / "a") == expected


@pytest.mark.parametrize("wrong", [{"height": 2**31}, {"height": 2**70}, {"name": "\ud800"}], ids=str)
def test_an_image_that_no_image_can_be_is_written_again(wrong: dict[str, Any], tmp_path: Path):
    """Its checksum is right: whoever wrote it meant it."""
    expected = write(tmp_path / "whole")
    image = IMAGES[0]
    partial = write_partly(tmp_path / "a", [image])
    content = partial.read_bytes()
    facts = {"name": image.name, "height": image.height, "width": image.width, "num_maps": image.num_maps} | wrong
    partial.write_bytes(content[: content.index(b"000000000.json")])
    checked = json.dumps({**facts, "crc32": _checksum(image.image, image.regions or b"", facts)}).encode()
    member = tarfile.TarInfo("000000000.json")
    member.size = len(checked)
    with partial.open("ab") as file:
        file.write(member.tobuf(tarfile.USTAR_FORMAT) + checked + bytes(-len(checked) % tarfile.BLOCKSIZE))
    assert write(tmp_path / "a") == expected


def test_an_image_without_room_names_the_shard_and_is_left_out(tmp_path: Path, limit_files: Limit):
    expected = write(tmp_path / "whole")
    folder = tmp_path / "full"
    folder.mkdir()
    large = IMAGES[0]._replace(name="large.png", image=bytes(100_000))  # more than a buffer holds
    with limit_files(20_000), pytest.raises(OSError, match="File too large") as raised:
        write(folder, [*IMAGES, large])
    assert raised.value.filename == str(folder / "shard-000000.tar.partial")
    assert write(folder) == expected
