from pathlib import Path

import pytest

from rmae.scenes.new_folder import new_folder


def fill(out: Path) -> None:
    with new_folder(out) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("whole")
        assert not (out / "sub").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_appears_when_it_is_filled(tmp_path: Path, is_there: bool):
    out = tmp_path / "deep" / "out"
    if is_there:
        out.mkdir(parents=True)
    fill(out)
    assert (out / "sub" / "file").read_text() == "whole"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_nothing_is_left_after_an_error(tmp_path: Path):
    def fill_half(out: Path) -> None:
        with new_folder(out) as folder:
            (folder / "file").write_text("torn")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fill_half(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_call_left_is_cleared(tmp_path: Path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "torn").write_text("")
    fill(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sub"}


def test_a_file_and_a_full_folder_are_refused(tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"file is a file; choose a folder for the scenes$"):
        fill(tmp_path / "file")
    with pytest.raises(ValueError, match=r" is not empty; choose another folder for the scenes, or delete this one$"):
        fill(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_put_there_in_the_meantime_is_not_lost(tmp_path: Path):
    def fill_both(out: Path) -> None:
        with new_folder(out) as folder:
            (folder / "file").write_text("ours")
            out.mkdir()
            (out / "file").write_text("theirs")

    with pytest.raises(ValueError, match=r" is not empty; choose another folder"):
        fill_both(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "file").read_text() == "theirs"


def test_what_is_put_there_while_the_disk_is_waited_for_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr("os.sync", lambda: (out / "file").write_text("theirs"))
    with pytest.raises(ValueError, match=r" is not empty; choose another folder"):
        fill(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (out / "file").read_text() == "theirs"
