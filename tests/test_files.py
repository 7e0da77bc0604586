import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rmae.files import FileToDecode, check_writable, end_replacement, naming, whole_folder, write_atomically, write_json


def test_writing_is_atomic(tmp_path: Path):
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", None)
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_what_has_no_room_keeps_none(tmp_path: Path, limit_files: Callable[[int], AbstractContextManager[None]]):
    with limit_files(100), pytest.raises(OSError, match="File too large") as raised:
        write_atomically(tmp_path / "file", bytes(200))
    assert raised.value.filename == str(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sync_once", [False, True])
def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path, sync_once: bool):
    out = tmp_path / "out"
    for content in ("old", "new"):
        with whole_folder(out, sync_once=sync_once) as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_text(content)
    with pytest.raises(ZeroDivisionError), whole_folder(out, sync_once=sync_once) as folder:
        (folder / "half").write_text(str(1 // 0))
    assert (out / "deep" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_a_kill_left_moved_away_comes_back(tmp_path: Path):
    out, replaced = tmp_path / "out", tmp_path / ".out.replaced"
    replaced.mkdir()
    (replaced / "file").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_folder(out) as folder:
        (folder / "file").write_text(str(1 // 0))
    assert (out / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_what_a_kill_left_of_a_folder_that_was_replaced_is_deleted(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / ".out.replaced").mkdir()
    (tmp_path / ".out.replaced" / "file").write_text("old")
    end_replacement(tmp_path / ".out.replaced")
    end_replacement(tmp_path / ".other.replaced")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_a_folder_comes_back_where_its_place_is_taken_amid_its_replacement(tmp_path: Path):
    """The new folder cannot be moved to a place beside which it is not any more."""
    out = tmp_path / "out"
    with whole_folder(out) as folder:
        (folder / "file").write_text("old")
    with pytest.raises(FileNotFoundError), whole_folder(out, sync_once=True) as folder:
        folder.rename(tmp_path / "elsewhere")
    assert (out / "file").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "elsewhere"}


def test_what_json_has_no_word_for_becomes_null(tmp_path: Path):
    write_json(tmp_path / "file.json", {"scores": [0.5, math.nan, (math.nan, 1)], "name": "a"})
    text = (tmp_path / "file.json").read_text()
    assert json.loads(text) == {"scores": [0.5, None, [None, 1]], "name": "a"}
    assert text.startswith('{\n  "scores": [\n    0.5,\n')
    assert text.endswith("\n}\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", math.inf)
    assert (tmp_path / "file.json").read_text() == text


def test_an_error_of_writing_names_the_file(tmp_path: Path):
    full, said = Path("/dev/full"), "No space left on device"
    with pytest.raises(OSError, match=said) as raised, naming(tmp_path / "file"), full.open("w") as file:
        file.write("x")
    assert raised.value.filename == str(tmp_path / "file")
    with pytest.raises(FileNotFoundError) as raised, naming(tmp_path / "file"):
        (tmp_path / "other").read_bytes()
    assert raised.value.filename == str(tmp_path / "other")


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path):
    for place in (tmp_path, tmp_path / "not" / "there"):
        check_writable(place)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused():
    with pytest.raises(OSError, match=r"nothing can be written in /proc/sys \(.+\); choose another folder"):
        check_writable(Path("/proc/sys/there/run"))


@pytest.mark.parametrize("size", [2**62, -1, None])
def test_no_more_is_read_than_there_is(tmp_path: Path, size: int | None):
    (tmp_path / "a").write_bytes(b"header and pixels")
    with (tmp_path / "a").open("rb") as plain, pytest.raises(MemoryError):
        plain.read(2**62)
    with FileToDecode(tmp_path / "a") as file:
        assert file.read(6) == b"header"
        assert file.read(size) == b" and pixels"
        assert file.read(size) == b""
        file.seek(7)
        assert file.read(3) == b"and"
