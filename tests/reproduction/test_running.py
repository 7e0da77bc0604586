import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import record_file
from rmae.reproduction.running import finished_work, run_pieces
from rmae.reproduction.work_in_hand import in_words

Draw = Callable[..., Piece]


@pytest.fixture
def told() -> list[str]:
    return []


def without_times(told: list[str]) -> list[str]:
    return [re.sub(r" in \d+ s$", "", line) for line in told]


def test_pieces_begin_in_their_order_as_soon_as_what_they_need_is_done(draw: Draw, told: list[str], tmp_path: Path):
    pieces = [draw("page", "data/a", "data/b"), draw("data/b", "data/a"), draw("data/a")]
    run_pieces(pieces, tmp_path / "work", jobs=3, tell=told.append)

    assert without_times(told) == [
        "[3/3] data/a began", "[3/3] data/a done", "[2/3] data/b began", "[2/3] data/b done", "[1/3] page began",
        "[1/3] page done",
    ]  # fmt: skip
    assert all((tmp_path / "work" / piece.out / "train2017").is_dir() for piece in pieces)


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 2)])
def test_as_many_run_at_a_time_as_are_allowed(jobs: int, most: int, draw: Draw, told: list[str], tmp_path: Path):
    run_pieces([draw(name) for name in "abc"[: jobs + 1]], tmp_path, jobs=jobs, tell=told.append)

    at_a_time = [0]
    for line in without_times(told):
        at_a_time.append(at_a_time[-1] + (1 if line.endswith("began") else -1))
    assert at_a_time[-1] == 0
    assert max(at_a_time) == most


def test_what_is_done_is_not_done_again(draw: Draw, told: list[str], tmp_path: Path):
    run_pieces([draw("a")], tmp_path, tell=told.append)
    log = (tmp_path / "logs" / "a.log").read_text()
    work = finished_work([draw("a")], tmp_path)
    told.clear()
    run_pieces([draw("a"), draw("b", "a")], tmp_path, tell=told.append)

    assert without_times(told) == ["1 of 2 pieces are done already", "[2/2] b began", "[2/2] b done"]
    assert (tmp_path / "logs" / "a.log").read_text() == log
    assert finished_work([draw("a")], tmp_path) == work

    told.clear()
    run_pieces([draw("a"), draw("b", "a")], tmp_path, tell=told.append)
    assert told == ["2 of 2 pieces are done already"]


def test_what_was_deleted_is_made_again(draw: Draw, told: list[str], tmp_path: Path):
    run_pieces([draw("a")], tmp_path)
    (tmp_path / "a").rename(tmp_path / "moved away")
    saved = json.loads(record_file(tmp_path, "a").read_text())
    record_file(tmp_path, "a").write_text(json.dumps({**saved, "seconds": 1000}))
    run_pieces([draw("a")], tmp_path, tell=told.append)

    assert without_times(told) == ["[1/1] a began", "[1/1] a done"]
    assert finished_work([draw("a")], tmp_path)["a"].seconds < 1000  # of what is there, not of what was deleted


def test_what_an_unfinished_start_left_is_deleted_and_its_seconds_count(draw: Draw, told: list[str], tmp_path: Path):
    run_pieces([draw("a")], tmp_path)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "a" / "train2017").iterdir()}
    saved = json.loads(record_file(tmp_path, "a").read_text())
    record_file(tmp_path, "a").write_text(json.dumps({**saved, "seconds": 1000, "finished": False}))
    (tmp_path / "a" / "train2017" / "torn").touch()
    assert finished_work([draw("a")], tmp_path) == {}
    run_pieces([draw("a")], tmp_path, tell=told.append)

    assert {path.name: path.read_bytes() for path in (tmp_path / "a" / "train2017").iterdir()} == expected
    assert told[-1].startswith("[1/1] a done in 16 min 4")
    assert 1000 < finished_work([draw("a")], tmp_path)["a"].seconds < 1030


def test_other_settings_are_refused_before_anything_begins(draw: Draw, told: list[str], tmp_path: Path):
    run_pieces([draw("a")], tmp_path)
    with pytest.raises(ValueError, match="has a with") as refused:
        run_pieces([draw("b"), draw("a", num_train=4)], tmp_path, tell=told.append)

    assert str(refused.value) == (
        f"{tmp_path} has a with --num-train 3, not with --num-train 4; choose another folder (--out), or delete this "
        "one"
    )
    assert told == []
    assert not (tmp_path / "b").exists()


def test_what_somebody_else_put_there_is_neither_used_nor_deleted(draw: Draw, tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "precious.txt").write_text("mine")
    with pytest.raises(ValueError, match="was not begun by this command") as refused:
        run_pieces([draw("a")], tmp_path)

    assert str(tmp_path / "a") in str(refused.value)
    assert (tmp_path / "a" / "precious.txt").read_text() == "mine"


def test_a_log_holds_the_command_and_what_it_said(draw: Draw, tmp_path: Path):
    run_pieces([draw("data/a")], tmp_path)
    lines = (tmp_path / "logs" / "data" / "a.log").read_text().splitlines()
    assert lines[0] == "$ rmae scenes data/a --num-train 3 --num-val 3 --img-size 32"
    assert lines[1].startswith(f"made: {tmp_path}/data/a (3 pictures")


def test_wrong_numbers_are_refused(draw: Draw, tmp_path: Path):
    with pytest.raises(ValueError, match="jobs is 0; run at least 1 piece at a time"):
        run_pieces([draw("a")], tmp_path, jobs=0)
    with pytest.raises(ValueError, match="stop_after is 0; it must be above 0 seconds"):
        run_pieces([draw("a")], tmp_path, stop_after=0)


def test_plans_that_make_no_sense_are_errors_of_ours(draw: Draw, tmp_path: Path):
    with pytest.raises(AssertionError, match="in a circle"):
        run_pieces([draw("a", "b"), draw("b", "a"), draw("c")], tmp_path)
    with pytest.raises(AssertionError, match="needs one that is not there"):
        run_pieces([draw("a", "b")], tmp_path)
    with pytest.raises(AssertionError, match="the same name"):
        run_pieces([draw("a"), draw("a")], tmp_path)
    with pytest.raises(AssertionError, match="in the same place"):
        run_pieces([draw("a"), draw("b")._replace(out="a")], tmp_path)
    with pytest.raises(AssertionError, match="outside of the workspace"):
        run_pieces([draw("a")._replace(out="../a")], tmp_path)
    with pytest.raises(AssertionError, match="no place of its own"):
        run_pieces([draw("a")._replace(out=".")], tmp_path)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (171.2, "2 min 51 s"), (540, "9 min"), (7500, "2 h 5 min")],
)
def test_times_are_told_in_words(seconds: float, words: str):
    assert in_words(seconds) == words
