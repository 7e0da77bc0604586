import json
from pathlib import Path

import pytest

from rmae.data.samples import Skipped
from rmae.data.skips import SkipLog


def open_log(folder: Path, *, num_images: int = 100, max_bad_share: float = 0.02) -> SkipLog:
    return SkipLog(folder / "skipped_images.jsonl", num_images=num_images, max_bad_share=max_bad_share)


def test_each_image_is_listed_once_also_over_a_resume(tmp_path: Path):
    log = open_log(tmp_path)
    log.add([Skipped("a.png", "torn"), Skipped("b.png", "größe"), Skipped("a.png", "again")])
    log.add([])
    log.add([Skipped("b.png", "again")])
    resumed = open_log(tmp_path)
    assert (log.count, resumed.count) == (2, 2)
    resumed.add([Skipped("a.png", "again"), Skipped("c.png", "lost")])
    assert resumed.count == 3
    lines = [json.loads(line) for line in (tmp_path / "skipped_images.jsonl").read_text().splitlines()]
    assert lines == [
        {"name": "a.png", "reason": "torn"},
        {"name": "b.png", "reason": "größe"},
        {"name": "c.png", "reason": "lost"},
    ]


def test_half_a_line_from_a_killed_run_does_no_harm(tmp_path: Path):
    path = tmp_path / "skipped_images.jsonl"
    path.write_text('{"name": "a.png", "reason": "torn"}\n{"name": "b.p')
    log = open_log(tmp_path)
    assert log.count == 1
    log.add([Skipped("c.png", "lost")])
    assert open_log(tmp_path).count == 2


def test_an_empty_list_is_there_from_the_start(tmp_path: Path):
    log = open_log(tmp_path, max_bad_share=0)
    assert (tmp_path / "skipped_images.jsonl").read_text() == ""
    log.check()


def test_one_bad_image_is_always_allowed_and_two_are_not(tmp_path: Path):
    log = open_log(tmp_path, max_bad_share=0)
    log.add([Skipped("a.png", "torn")])
    log.check()
    log.add([Skipped("b.png", "torn")])
    with pytest.raises(ValueError, match="2 of 100 images"):
        log.check()


def test_images_repaired_since_the_last_start_do_not_stop_the_run(tmp_path: Path):
    open_log(tmp_path).add([Skipped(name, "torn") for name in ("a.png", "b.png", "c.png")])
    resumed = open_log(tmp_path)
    resumed.add([Skipped("c.png", "still torn")])
    resumed.check()
    assert resumed.count == 3


def test_too_many_are_an_error_that_says_what_to_do(tmp_path: Path):
    log = open_log(tmp_path)
    log.add([Skipped("a.png", "torn"), Skipped("b.png", "lost")])
    log.check()
    log.add([Skipped("c.png", "gone")])
    with pytest.raises(
        ValueError,
        match=r"3 of 100 images cannot be used, more than the allowed share of 0\.02 \(the first, a\.png: torn\); "
        r"see .*skipped_images\.jsonl, then repair the files and resume, raise --max-bad-share, or "
        r"remove the files and start anew",
    ):
        log.check()


def test_of_several_processes_one_writes_and_all_count(tmp_path: Path):
    path = tmp_path / "skipped_images.jsonl"
    log = SkipLog(path, num_images=10, max_bad_share=0.1, writes=False)
    log.add([Skipped("a.png", "torn"), Skipped("b.png", "torn")])
    assert log.count == 2
    assert not path.exists()
    with pytest.raises(ValueError, match="2 of 10 images"):
        log.check()
