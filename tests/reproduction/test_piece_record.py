import json
from pathlib import Path

import pytest

from rmae.reproduction.piece_record import PieceRecord, read_piece_record, record_file, write_piece_record


@pytest.mark.parametrize("finished", [True, False])
def test_what_is_written_is_read(finished: bool, tmp_path: Path):
    record = PieceRecord(("pretrain", "demo", "--scales", "1 2"), 171.25, finished, ("0123456789ab", "ba9876543210+"))
    assert read_piece_record(tmp_path, "pretrain/mae/seed_0.5") is None
    write_piece_record(tmp_path, "pretrain/mae/seed_0.5", record)
    assert read_piece_record(tmp_path, "pretrain/mae/seed_0.5") == record
    assert read_piece_record(tmp_path, "pretrain/mae/seed_0") is None
    file = record_file(tmp_path, "pretrain/mae/seed_0.5")
    assert [path.name for path in file.parent.iterdir()] == ["seed_0.5.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": "run", "version": 1}', '{"format": "piece", "version": 1}']
)
def test_files_that_are_no_records_are_refused(text: str, tmp_path: Path):
    file = record_file(tmp_path, "a")
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ValueError, match="does not describe a piece") as refused:
        read_piece_record(tmp_path, "a")
    assert str(refused.value).startswith(str(file))
    assert str(refused.value).endswith(f"choose another folder (--out), or delete {tmp_path}")


def test_other_versions_are_refused(tmp_path: Path):
    write_piece_record(tmp_path, "a", PieceRecord((), 1.0, True))
    file = record_file(tmp_path, "a")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 2}))
    with pytest.raises(ValueError, match="is of format version 2; this rmae reads version 1"):
        read_piece_record(tmp_path, "a")
