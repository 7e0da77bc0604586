from pathlib import Path

import pytest

from rmae.files import write_atomically


def test_writing_is_atomic(tmp_path: Path):
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", None)
    assert (tmp_path / "file").read_text() == "old"
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
