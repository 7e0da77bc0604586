import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from noise_stores import label_maps
from rmae.regions.label_runs import LabelRuns
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_lock import StoreBusyError
from rmae.regions.store_writer import PackedRegions, StoreWriter

HEADER = StoreHeader(source={"kind": "grid", "rows": 4}, channels=3, root="/data", num_images=0, num_regions=0)


def regions(number: int, *, name: str | None = None) -> PackedRegions:
    return PackedRegions.of(f"{number}.png" if name is None else name, label_maps(number))


def numbers(store: RegionStore | StoreWriter) -> set[int]:
    """The numbers of the images that a store has, all with the right regions."""
    if isinstance(store, RegionStore):
        for name, runs in store:
            np.testing.assert_array_equal(runs.label_maps(), label_maps(int(Path(name).stem)))
    return {int(Path(name).stem) for name in store.names()}


def write(path: Path, *added: int, skipped: dict[str, str] | None = None, header: StoreHeader = HEADER) -> RegionStore:
    with StoreWriter(path, header) as writer:
        for number in added:
            writer.add(regions(number))
        for name, reason in (skipped or {}).items():
            writer.skip(name, reason)
        return writer.finish()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.regions"


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


# Packing


def test_packed_regions_say_how_many_they_are():
    packed = PackedRegions.of("a.png", np.array([[[0, 0, 7], [-1, -5, 9]], [[7, 7, 7], [7, 7, 7]]], dtype=np.int32))
    assert packed[:5] == ("a.png", 2, 2, 3, 4)
    runs = LabelRuns.unpack(packed.runs, num_maps=2, height=2, width=3)
    assert runs.label_maps().tolist() == [[[0, 0, 7], [-1, -5, 9]], [[7, 7, 7], [7, 7, 7]]]


# Adding


def test_a_store_is_in_its_place_only_when_it_is_finished(path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
        assert not path.exists()
        store = writer.finish()
        assert numbers(store) == {1}
    assert files(path) == ["a.regions"]


def test_what_was_added_is_gone_on_with(path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
        writer.skip("torn.png", "it is torn")
    assert files(path) == ["a.regions.partial"]
    with StoreWriter(path, HEADER) as writer:
        assert writer.names() == {"1.png"}
        assert writer.skipped() == {"torn.png": "it is torn"}
        writer.add(regions(2))
        store = writer.finish()
    assert numbers(store) == {1, 2}
    assert store.header.num_images == 2


def test_an_error_keeps_what_was_added(path: Path):
    def add_two() -> None:
        with StoreWriter(path, HEADER) as writer:
            writer.add(regions(1))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        add_two()
    with StoreWriter(path, HEADER) as writer:
        assert numbers(writer) == {1}


def test_what_is_discarded_is_gone(path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
        writer.discard()
    assert files(path) == []


def test_an_image_added_again_is_replaced(path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(5, name="1.png"))
        writer.add(regions(1))
        store = writer.finish()
    assert numbers(store) == {1}
    assert store.header.num_regions == regions(1).num_regions


def test_an_image_that_can_be_used_now_is_skipped_no_more(path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.skip("1.png", "torn")
        writer.skip("2.png", "torn")
        writer.skip("2.png", "still torn")
        writer.add(regions(1))
        assert writer.finish().skipped() == {"2.png": "still torn"}


def test_an_existing_store_is_added_to(path: Path):
    write(path, 1, 2, skipped={"torn.png": "it is torn"})
    with StoreWriter(path, HEADER) as writer:
        assert writer.names() == {"1.png", "2.png"}
        assert writer.skipped() == {"torn.png": "it is torn"}
        writer.add(regions(3))
        assert numbers(RegionStore(path)) == {1, 2}
        store = writer.finish()
    assert numbers(store) == {1, 2, 3}
    assert store.header.num_images == 3
    assert store.header.num_regions == sum(regions(number).num_regions for number in (1, 2, 3))
    assert files(path) == ["a.regions"]


def test_a_store_that_came_after_the_partial_file_loses_nothing(path: Path, tmp_path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
        writer.skip("3.png", "torn")
    write(tmp_path / "b.regions", 2, 3).path.rename(path)  # as a person does who brings it from another machine
    store = write(path, 4, skipped={"torn.png": "it is torn"})
    assert numbers(store) == {1, 2, 3, 4}
    assert store.skipped() == {"torn.png": "it is torn"}


def test_stores_are_put_together(path: Path, tmp_path: Path):
    one = write(tmp_path / "one's 50% #1?.regions", 1, 2, skipped={"3.png": "torn", "torn.png": "it is torn"})
    other = write(tmp_path / "other.regions", 2, 3, 4)
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(0))
        writer.skip("4.png", "torn")
        writer.add_store(one)
        writer.add_store(other)
        store = writer.finish()
    assert numbers(store) == {0, 1, 2, 3, 4}
    assert store.skipped() == {"torn.png": "it is torn"}
    assert [store.header.num_images, store.header.num_regions] == [5, sum(regions(i).num_regions for i in range(5))]
    assert numbers(one) == {1, 2}


def test_header_counts_regions_once(path: Path):
    counts = write(path, 1, header=HEADER._replace(num_images=77, num_regions=88)).header[3:]
    assert counts == (1, regions(1).num_regions)


# Regions of something else


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            HEADER._replace(source={"kind": "grid", "rows": 5}),
            "was made with the source {'kind': 'grid', 'rows': 4}, not {'kind': 'grid', 'rows': 5}; choose another "
            "file",
        ),
        (HEADER._replace(channels=1), "was made with the number of channels 3, not 1; choose another file"),
    ],
)
def test_regions_of_another_source_are_refused(other: StoreHeader, words: str, path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
    unfinished = " (an earlier, unfinished call left it; delete it to begin anew)"
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}.partial {words}{unfinished}')}$"):
        StoreWriter(path, other)
    store = write(path, 2)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path} {words}')}$"):
        StoreWriter(path, other)
    another = path.with_name("b.regions")
    with StoreWriter(another, other) as writer, pytest.raises(ValueError, match=re.escape(f"{path} {words}")):
        writer.add_store(store)
    assert numbers(RegionStore(path)) == {1, 2}
    assert files(path) == ["a.regions", "b.regions.partial"]


def test_images_of_another_folder_are_added(path: Path):
    write(path, 1)
    assert write(path, 2, header=HEADER._replace(root="/elsewhere")).header.root == "/elsewhere"


@pytest.mark.parametrize("name", ["a.regions", "a.regions.partial"])
@pytest.mark.parametrize("content", [b"no store", b"x" * 5000, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_file_that_is_no_store_is_refused_and_kept(name: str, content: bytes, path: Path):
    path.with_name(name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path.with_name(name)))} is no region store"):
        StoreWriter(path, HEADER)
    assert path.with_name(name).read_bytes() == content
    assert files(path) == [name]


def test_a_truncated_partial_file_is_refused(path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
    partial = path.with_name("a.regions.partial")
    partial.write_bytes(partial.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"partial is cut short: .* \(an earlier, unfinished call left it; delete it"):
        StoreWriter(path, HEADER)


@pytest.mark.parametrize("ask", [StoreWriter.names, StoreWriter.skipped, lambda writer: writer.add(regions(9))])
def test_damage_in_a_partial_file_is_one_sentence(ask: Callable[[StoreWriter], object], path: Path):
    with StoreWriter(path, HEADER) as writer:
        for number in range(30):
            writer.add(regions(number))
        writer.skip("torn.png", "it is torn")
    partial = path.with_name("a.regions.partial")
    content = partial.read_bytes()
    partial.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with (
        pytest.raises(ValueError, match=rf"^{re.escape(str(partial))} is no region store, or a damaged one \("),
        StoreWriter(path, HEADER) as writer,
    ):
        ask(writer)


# One writer at a time


def test_a_second_writer_of_this_process_has_to_wait(path: Path):
    with StoreWriter(path, HEADER) as writer:
        for _ in range(2):
            with pytest.raises(
                StoreBusyError, match=rf"^another process is writing {re.escape(str(path))}; wait until"
            ):
                StoreWriter(path, HEADER)
        writer.add(regions(1))
        assert numbers(writer.finish()) == {1}
    write(path, 2)


ADD_FOR_EVER = """
import itertools, sys
from pathlib import Path
import numpy as np
from rmae.regions import store_writer
from rmae.regions.store import StoreHeader
store_writer._SECONDS_BETWEEN_COMMITS = float(sys.argv[2])
header = StoreHeader(source={"kind": "grid", "rows": 4}, channels=3, root="/data", num_images=0, num_regions=0)
with store_writer.StoreWriter(Path(sys.argv[1]), header) as writer:
    for number in itertools.count(len(writer.names())):
        maps = np.random.default_rng(number).integers(-1, 5, (2, 12, 15), dtype=np.int32)
        writer.add(store_writer.PackedRegions.of(f"{number}.png", maps))
        print(number, flush=True)
"""


def add_for_ever(path: Path, *, seconds_between_commits: float = 0) -> subprocess.Popen[str]:
    """Start a process that adds image after image and says the number of each."""
    return subprocess.Popen(
        [sys.executable, "-c", ADD_FOR_EVER, path, str(seconds_between_commits)], stdout=subprocess.PIPE, text=True
    )


def read_until(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    while int(process.stdout.readline()) < number:
        pass


def test_a_writer_of_another_process_has_to_wait(path: Path):
    with add_for_ever(path) as process:
        for number in (0, 5):
            read_until(process, number)
            path.with_name("a.regions.partial").read_bytes()  # to look at the files does not end its turn
            with pytest.raises(
                StoreBusyError, match=rf"^another process is writing {re.escape(str(path))}; wait until"
            ):
                StoreWriter(path, HEADER)
        process.kill()
    assert numbers(write(path)) >= set(range(6))


# Killed


def test_a_killed_writer_is_gone_on_with(path: Path):
    """At random moments, again and again; what it has said to be on disk is there."""
    generator = np.random.default_rng(0)
    known = 0
    for _ in range(5):
        with add_for_ever(path) as process:
            read_until(process, known)
            time.sleep(generator.uniform(0, 0.02))
            process.kill()
            assert process.stdout is not None
            known = max([known, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
        assert process.returncode == -signal.SIGKILL
        with StoreWriter(path, HEADER) as writer:
            assert numbers(writer) >= set(range(known + 1))
    assert numbers(write(path, 5000)) >= {*range(known + 1), 5000}
    assert files(path) == ["a.regions"]


def test_a_writer_killed_while_it_copies_a_store_is_gone_on_with(path: Path):
    noise = np.random.default_rng(0).integers(0, 1000, (3, 200, 200), dtype=np.int32)
    large = PackedRegions.of("large.png", noise)
    with StoreWriter(path, HEADER) as writer:
        for number in range(100):
            writer.add(large._replace(name=f"large {number}.png"))
        before = writer.finish()
    partial = path.with_name("a.regions.partial")
    sizes = []
    for megabytes in (0.001, 1, 5):
        with add_for_ever(path) as process:
            while not partial.exists() or partial.stat().st_size < megabytes * 1e6:
                pass
            process.kill()
        sizes.append(partial.stat().st_size)
    assert sizes[0] < path.stat().st_size
    store = write(path, 1)
    assert store.names() >= {*before.names(), "1.png"}
    np.testing.assert_array_equal(store.read("large 99.png").label_maps(), noise)


@pytest.mark.parametrize(
    "save",
    [StoreWriter.save_if_due, lambda writer: writer.add(regions(2)), lambda writer: writer.skip("3.png", "torn")],
)
def test_what_was_added_is_on_disk_after_half_a_second(save: Callable[[StoreWriter], None], path: Path, tmp_path: Path):
    with StoreWriter(path, HEADER) as writer:
        writer.add(regions(1))
        time.sleep(0.5)
        save(writer)
        lost_power = tmp_path / "then"
        lost_power.mkdir()
        for file in path.parent.glob("a.regions.partial*"):
            shutil.copy(file, lost_power)
    with StoreWriter(lost_power / path.name, HEADER) as writer:
        assert 1 in numbers(writer)


# No room


FILL_UP = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
{ADD_FOR_EVER}
"""


@pytest.mark.parametrize("seconds_between_commits", [0, 1000])
def test_a_full_disk_is_an_error_that_keeps_what_was_added_before(seconds_between_commits: float, path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FILL_UP, path, str(seconds_between_commits)], capture_output=True, text=True
    )
    said = done.stderr.splitlines()[-1]
    assert re.match(rf"OSError: {re.escape(str(path))}\.partial cannot be written \(.+\)$", said)
    added = [int(line) for line in done.stdout.split()]
    assert len(added) > 50
    with StoreWriter(path, HEADER) as writer:
        kept = numbers(writer)
        assert kept >= (set() if seconds_between_commits else set(added))
        writer.add(regions(5000))
        store = writer.finish()
    assert numbers(store) == {*kept, 5000}
    assert store.header.num_images == len(kept) + 1


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no_such_folder"):
        StoreWriter(tmp_path / "no_such_folder" / "a.regions", HEADER)
