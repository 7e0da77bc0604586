import multiprocessing
import os
import pickle
import re
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rmae.data import shards as shards_module
from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage
from rmae.data.shard_index import Place, ShardIndex
from rmae.data.shard_writer import PackedImage, ShardWriter
from rmae.data.shards import INDEX, SETTINGS, Shards, is_packed, shard_path
from rmae.regions.label_runs import LabelRuns


def content_of(name: str) -> bytes:
    return name.encode() * 50


def label_maps_of(name: str) -> np.ndarray:
    return np.full((1, 2, 3), int(name), dtype=np.int32)


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Packs images called by numbers."""

    def pack(num_images: int, images_per_shard: int, *, with_regions: bool = True) -> Path:
        folder = tmp_path / "packed"
        folder.mkdir()
        header = {"regions": {"kind": "grid"} if with_regions else None}
        names, places = [], []
        for shard, start in enumerate(range(0, num_images, images_per_shard)):
            with ShardWriter(folder, shard, header) as writer:
                for number in range(start, min(start + images_per_shard, num_images)):
                    name = f"{number:06d}"
                    regions = LabelRuns.of(label_maps_of(name)).pack() if with_regions else None
                    writer.add(PackedImage(number, name, content_of(name), "jpg", 2, 3, regions, int(with_regions)))
                writer.finish()
            part = ShardIndex.read(folder / f"shard-{shard:06d}.index")
            names += part.names
            places.append(part.places)
        ShardIndex(header, tuple(names), np.concatenate(places), ()).write(folder / INDEX)
        return folder

    return pack


Pack = Callable[..., Path]


def is_right(shards: Shards, name: str) -> bool:
    return shards.open(name).read() == content_of(name) and np.array_equal(
        shards.regions(name).label_maps(), label_maps_of(name)
    )


def test_images_are_read_in_any_order(pack: Pack):
    shards = Shards(pack(100, 7))
    assert shards.names == tuple(f"{number:06d}" for number in range(100))
    assert shards.region_settings == {"kind": "grid"}
    order = np.random.default_rng(0).permutation(100)
    assert all(is_right(shards, shards.names[i]) for i in order)


def test_forked_processes_read_with_the_files_of_their_parent(pack: Pack):
    """Which share the place at which each file is, and read at once."""
    shards = Shards(pack(60, 30))
    assert is_right(shards, "000000")
    assert is_right(shards, "000059")

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(60, size=2000)
        os._exit(not all(is_right(shards, shards.names[i]) for i in order))

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=read, args=(seed,)) for seed in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert is_right(shards, "000030")


def test_a_pickle_opens_the_files_anew(pack: Pack):
    shards = Shards(pack(10, 5))
    assert is_right(shards, "000000")
    pickled = pickle.dumps(shards)
    del shards
    again = pickle.loads(pickled)
    assert all(is_right(again, name) for name in again.names)


def test_there_may_be_more_shards_than_files_may_be_open(pack: Pack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shards_module, "_MAX_OPEN", 4)
    shards = Shards(pack(40, 1))
    before = len(os.listdir("/proc/self/fd"))
    order = np.random.default_rng(0).integers(40, size=200)
    assert all(is_right(shards, shards.names[i]) for i in order)
    assert len(os.listdir("/proc/self/fd")) == before + 4
    del shards
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_files_that_are_kept_open_leave_room_for_others():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 4 * shards_module._MAX_OPEN or soft > 512


@pytest.mark.parametrize("name", ["", "0", "000005x", "999999", "-1"])
def test_a_name_that_is_not_there_is_a_missing_file(name: str, pack: Pack):
    shards = Shards(pack(6, 3))
    for read in (shards.open, shards.regions):
        with pytest.raises(FileNotFoundError, match=f"have no image {name}$"):
            read(name)


def test_regions_that_were_not_packed_are_an_error(pack: Pack):
    shards = Shards(pack(2, 2, with_regions=False))
    assert shards.region_settings is None
    assert shards.open("000001").read() == content_of("000001")
    with pytest.raises(ValueError, match=r"^the shards in .*packed were packed without regions$"):
        shards.regions("000001")


@pytest.mark.parametrize("damage", ["missing", "empty", "cut short"])
def test_a_shard_that_is_not_whole_is_named(damage: str, pack: Pack):
    folder = pack(9, 3)
    path = shard_path(folder, 1)
    if damage == "missing":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.truncate(0 if damage == "empty" else Shards(folder).index.place(5).image_at + 1)
    shards = Shards(folder)
    word = "missing" if damage == "missing" else "cut short"
    sentence = rf"^{re.escape(str(path))} is {word}; copy it again or pack anew$"
    for read in (shards.open, shards.regions):
        with pytest.raises(OSError, match=sentence):
            read("000005")
    assert all(is_right(shards, name) for name in ("000000", "000008"))
    assert damage != "cut short" or is_right(shards, "000003")
    with (
        pytest.raises(UnreadableImage, match=rf"it cannot be read .*shard-000001\.tar is {word}"),
        ImageSet(folder, shards.names, shards).open("000005", channels=3, max_pixels=100),
    ):
        pass


@pytest.mark.parametrize("names", [("000001", "000000"), ("000000", "000000")])
def test_an_index_whose_names_cannot_be_found_is_refused(names: tuple[str, ...], pack: Pack):
    shards = Shards(pack(2, 2))
    shards.index._replace(names=names).write(shards.folder / INDEX)
    with pytest.raises(ValueError, match=r"damaged \(its names are not sorted, each once\); pack anew$"):
        Shards(shards.folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 2**62, "regions_size": 2**62},
        {"image_at": 2**62, "regions_at": 2**62},
        {"image_at": 2**63 - 1, "image_size": 2**63 - 1, "regions_at": 2**63 - 1, "regions_size": 2**63 - 1},
        {"shard": 2**62},
    ],
    ids=["size", "place", "both", "shard"],
)
def test_an_index_that_points_outside_is_an_error_of_that_image(changes: dict[str, int], pack: Pack):
    shards = Shards(pack(2, 2))
    place = shards.index.place(0)._replace(**changes)
    shards.index.places[0] = place
    shards.index.write(shards.folder / INDEX)
    shards = Shards(shards.folder)
    for read in (shards.open, shards.regions):
        with pytest.raises(OSError, match=r"shard-\d+\.tar is (cut short|missing); copy it again or pack anew$"):
            read("000000")
    assert is_right(shards, "000001")


@pytest.mark.parametrize(
    "changes",
    [{"num_maps": 2**62}, {"height": 2**62}, {"width": 2**62}, {"num_maps": 0}, {"width": 4}, {"regions_size": 0},
     {"image_at": 0, "regions_at": 0}],
    ids=str,
)  # fmt: skip
def test_regions_that_the_index_says_wrong_are_an_error_of_that_image(changes: dict[str, int], pack: Pack):
    shards = Shards(pack(2, 2))
    shards.index.places[0] = Place(*shards.index.places[0].tolist())._replace(**changes)
    with pytest.raises(ValueError, match="its bytes are "):
        shards.regions("000000")
    assert is_right(shards, "000001")


def test_a_folder_says_whether_it_is_packed(pack: Pack, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    assert not is_packed(tmp_path / "photos")
    (tmp_path / "photos" / SETTINGS).touch()
    with pytest.raises(
        ValueError, match=r"the images in .*photos are not all packed yet; go on with the same rmae pack"
    ):
        is_packed(tmp_path / "photos")
    assert is_packed(pack(2, 2))
