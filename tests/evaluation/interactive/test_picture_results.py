import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rmae.evaluation.interactive.picture_results import (
    ClickScores,
    ObjectResult,
    PictureResult,
    ResultsFile,
    Seconds,
)
from rmae.evaluation.interactive.visible_shares import SharesIou


def result(row: int) -> PictureResult:
    clicks = {"model": ClickScores((1 / 3, 0.7), (0.1, 0.2)), "grabcut": ClickScores((0.5, 0.6), (math.nan, math.nan))}
    one = ObjectResult(number=10 * row, clicks=clicks, shares={"model": SharesIou((math.nan, 0.2), (0.1, 2 / 3))})
    seconds = {"model": Seconds(0.125, 1 / 7), "grabcut": Seconds(0.0, math.nan)}
    return PictureResult(row=row, name=f"pícture {row}.png", objects=(one,), seconds=seconds)


METHODS = ["model", "grabcut"]


def test_pictures_come_back_to_the_last_bit(tmp_path: Path):
    file = tmp_path / "objects.jsonl"
    kept = ResultsFile(file, METHODS)
    assert kept.start() == {}
    kept.add([result(4), result(2)])
    kept.add([result(7)])
    again = ResultsFile(file, METHODS).start()
    assert list(again) == [4, 2, 7]
    assert repr(again) == repr({row: result(row) for row in (4, 2, 7)})  # in which NaN equals NaN
    head, *lines = file.read_text().splitlines()
    assert json.loads(head) == {"format": "interactive objects", "version": 1, "methods": METHODS}
    assert json.loads(lines[0])["objects"][0]["clicks"]["grabcut"]["confidence"] == [None, None]


def test_a_full_disk_names_the_file(tmp_path: Path, limit_files: Callable[[int], AbstractContextManager[None]]):
    kept = ResultsFile(tmp_path / "objects.jsonl", METHODS)
    kept.start()
    with limit_files(100), pytest.raises(OSError, match="File too large") as failure:
        kept.add([result(1)])
    assert failure.value.filename == str(tmp_path / "objects.jsonl")


def test_a_line_that_was_cut_short_is_dropped(tmp_path: Path):
    file = tmp_path / "objects.jsonl"
    kept = ResultsFile(file, METHODS)
    kept.start()
    kept.add([result(1), result(2)])
    whole = file.read_bytes()
    for cut in (1, 100, len(whole.splitlines(keepends=True)[-1])):
        file.write_bytes(whole[:-cut])
        assert list(ResultsFile(file, METHODS).start()) == [1]
        kept.add([result(2)])
        assert file.read_bytes() == whole
    file.write_bytes(whole[:20])  # in the head
    assert ResultsFile(file, METHODS).start() == {}
    assert len(file.read_text().splitlines()) == 1


def test_pictures_that_were_put_to_other_methods_are_done_again(tmp_path: Path):
    file = tmp_path / "objects.jsonl"
    kept = ResultsFile(file, METHODS)
    kept.start()
    kept.add([result(1)])
    assert ResultsFile(file, ["model"]).start() == {}
    assert json.loads(file.read_text())["methods"] == ["model"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"row": 1}', "no json"])
def test_another_file_is_refused(tmp_path: Path, line: str):
    file = tmp_path / "objects.jsonl"
    ResultsFile(file, METHODS).start()
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ValueError, match=r"objects.jsonl does not hold results of pictures \(.*\); delete it"):
        ResultsFile(file, METHODS).start()
