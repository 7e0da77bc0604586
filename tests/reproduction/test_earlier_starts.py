from pathlib import Path

import pytest

from rmae.reproduction.earlier_starts import check_workspace, difference, earlier_work, is_done, make_ready
from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import PieceRecord, write_piece_record

PIECE = Piece("train", ("pretrain", "--updates", "6", "--out", "runs/a"), (), "runs/a", resumable=True)
AGAIN = (*PIECE.arguments, "--resume")


def make(folder: Path, *files: str) -> set[Path]:
    """Make files; returns all files of the folder."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "files",
    [
        ["config.json"],
        ["config.json", "checkpoints/update_000000002/config.json", "report.html"],
        ["seed_0/config.json", "seed_0/results.json"],
        ["seed_1/config.json"],
    ],
)
def test_what_was_begun_is_gone_on_with(files: list[str], tmp_path: Path):
    expected = make(tmp_path / PIECE.out, *files)
    assert make_ready(PIECE, tmp_path) == AGAIN
    assert make(tmp_path / PIECE.out) == expected


@pytest.mark.parametrize("files", [[], ["runs/a/.config.json.partial"], ["runs/a/metrics.jsonl"], ["runs/a"]])
def test_what_was_not_begun_is_begun_anew(files: list[str], tmp_path: Path):
    beside = make(tmp_path, "runs/b/config.json")
    make(tmp_path, *files)
    assert make_ready(PIECE, tmp_path) == PIECE.arguments
    assert not (tmp_path / PIECE.out).exists()
    assert make(tmp_path) == beside


def test_an_empty_folder_is_no_beginning(tmp_path: Path):
    (tmp_path / "runs" / "a").mkdir(parents=True)
    assert make_ready(PIECE, tmp_path) == PIECE.arguments


def test_what_cannot_be_gone_on_with_is_deleted(tmp_path: Path):
    make(tmp_path / "runs" / "a", "config.json", "deep/file")
    assert make_ready(PIECE._replace(resumable=False), tmp_path) == PIECE.arguments
    assert not (tmp_path / "runs" / "a").exists()


def test_of_a_link_the_link_alone_is_deleted(tmp_path: Path):
    precious = make(tmp_path / "elsewhere", "precious")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").symlink_to(tmp_path / "elsewhere")
    make_ready(PIECE, tmp_path)
    assert make(tmp_path) == precious


def test_done_is_what_was_finished_and_is_still_there(tmp_path: Path):
    assert not is_done(PIECE, tmp_path)
    write_piece_record(tmp_path, "train", PieceRecord(PIECE.arguments, 5.0, finished=True))
    assert not is_done(PIECE, tmp_path)
    make(tmp_path / "runs" / "a", "config.json")
    assert is_done(PIECE, tmp_path)
    write_piece_record(tmp_path, "train", PieceRecord(PIECE.arguments, 5.0, finished=False))
    assert not is_done(PIECE, tmp_path)


@pytest.mark.parametrize(("arguments", "finished", "seconds"), [((), False, 0), (None, True, 0), (None, False, 5)])
def test_seconds_are_those_of_what_is_gone_on_with(
    arguments: tuple[str, ...] | None, finished: bool, seconds: float, tmp_path: Path
):
    write_piece_record(
        tmp_path, "train", PieceRecord(PIECE.arguments if arguments is None else arguments, 5.0, finished)
    )
    assert earlier_work(PIECE, tmp_path).seconds == seconds


@pytest.mark.parametrize(
    ("finished", "there", "refused"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_other_settings_are_refused_where_something_was_made_with_them(
    finished: bool, there: bool, refused: bool, tmp_path: Path
):
    write_piece_record(tmp_path, "train", PieceRecord(("pretrain", "--updates", "8", "--out", "runs/a"), 5.0, finished))
    if there:
        make(tmp_path / "runs" / "a", "config.json")
    if not refused:
        check_workspace([PIECE], tmp_path)
        return
    with pytest.raises(ValueError, match="has train with --updates 8, not with --updates 6; choose another folder"):
        check_workspace([PIECE], tmp_path)


@pytest.mark.parametrize(
    ("new", "was", "wanted"),
    [
        ("pretrain demo --updates 8", "with --updates 6", "with --updates 8"),
        ("pretrain demo --updates 6 --seed 1", "without --seed 1", "with --seed 1"),
        ("pretrain --updates 6", "with demo", "without demo"),
        ("pretrain demo", "with --updates 6", "without --updates 6"),
        ("pretrain demo --updates 6 7", "without 7", "with 7"),
    ],
)
def test_differences_are_told_in_short(new: str, was: str, wanted: str):
    assert difference(["pretrain", "demo", "--updates", "6"], new.split()) == (was, wanted)


def test_long_differences_are_cut(tmp_path: Path):
    was, wanted = difference(["make"], ["make", "--source", "felzenszwalb" + " --scales 100" * 20])
    assert wanted.startswith("with --source 'felzenszwalb --scales 100")
    assert wanted.endswith(" ...")
    assert len(was) < 100
