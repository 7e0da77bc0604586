from pathlib import Path

import pytest

from rmae.files import whole_folder, write_atomically


def test_writing_is_atomic(tmp_path: Path):
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", None)
    assert (tmp_path / "file").read_text() == "old"
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path):
    out = tmp_path / "out"
    for content in ("old", "new"):
        with whole_folder(out) as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_text(content)
    with pytest.raises(ZeroDivisionError), whole_folder(out) as folder:
        (folder / "half").write_text(str(1 // 0))
    assert (out / "deep" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
