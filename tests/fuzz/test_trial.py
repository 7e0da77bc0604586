"""What finds faults does find them."""

import ctypes
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import trial
from fuzz.reader import Files, Reader, damaging
from fuzz.trial import Fault, damaged_input, try_inputs
from rmae.data.images import UnreadableImage

BAD = 3
"""The input at which a reader does something wrong."""


def reader_that(does: Callable[[], object]) -> Reader:
    """A reader that refuses input 0, reads the others, and does something at one of them."""

    def read(folder: Path) -> None:
        content = (folder / "a.txt").read_text()
        if content == str(BAD):
            does()
        if content == "0":
            raise ValueError("a.txt is 0; give another number")

    numbers = iter(range(1000))
    return Reader(
        "numbers",
        lambda _: [{"a.txt": b"whole"}],
        read,
        damaging("a.txt", by=lambda *_: str(next(numbers)).encode()),
        named="a.txt",
    )


def fail(error: Exception) -> Callable[[], None]:
    def does() -> None:
        raise error

    return does


def fault_of(does: Callable[[], object], folder: Path) -> str:
    """What is found out about a reader; all other inputs are tried all the same."""
    tally = try_inputs(reader_that(does), range(6), seed=0, folder=folder)
    assert tally.outcomes.total() == 6
    assert tally.outcomes["ValueError"] >= 1
    ((number, what),) = tally.faults
    assert number == BAD
    return what


@pytest.mark.parametrize(
    ("does", "what"),
    [
        (fail(KeyError("a")), "KeyError at test_trial.py:"),
        (fail(json.JSONDecodeError("a.txt is wrong", "{", 1)), "JSONDecodeError at test_trial.py:"),
        (fail(AssertionError("a wrong label")), "AssertionError at test_trial.py:"),
        (fail(ValueError("it is wrong")), "an error that does not name a.txt: it is wrong"),
        (fail(ValueError("a.txt\nis wrong")), "an error of several lines or with control characters: a.txt?is wrong"),
        (fail(ValueError("a.txt \x1b[2J is wrong")), "an error of several lines or with control characters"),
        (fail(ValueError("a.txt " * 100)), "an error of 600 characters"),
        (fail(ValueError(" ")), "an error without words"),
        (lambda: warnings.warn("careful", stacklevel=1), "UserWarning at test_trial.py:"),
        (lambda: os.write(2, b"noise"), "printed 'noise'"),
        (lambda: bytearray(2**36), "MemoryError at test_trial.py:"),
    ],
)
def test_what_a_reader_must_not_do_is_found(does: Callable[[], object], what: str, tmp_path: Path):
    assert fault_of(does, tmp_path).startswith(what)


def test_an_error_of_the_project_below_a_documented_one_is_clear(tmp_path: Path):
    tally = try_inputs(reader_that(fail(UnreadableImage("a.txt is torn"))), range(6), seed=0, folder=tmp_path)
    assert tally.faults == ()
    assert tally.outcomes["UnreadableImage"] == 1


def forever() -> None:
    while True:
        try:
            time.process_time()
        except Exception:  # a reader that swallows everything must be ended all the same
            continue


def test_a_reader_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "_CPU_SECONDS", 0.1)
    assert fault_of(forever, tmp_path) == "more than 0.1 seconds of computing"


def test_a_reader_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "_SILENT_SECONDS", 3)
    reader = reader_that(lambda: time.sleep(1000))
    tally = try_inputs(reader, range(BAD + 1), seed=0, folder=tmp_path)
    assert tally.faults == (Fault(BAD, "no answer within 3 seconds"),)


def test_a_crash_is_found_and_the_other_inputs_are_tried(tmp_path: Path):
    def crash(number: int) -> None:
        if number == BAD:
            ctypes.string_at(0)

    def read(folder: Path) -> None:
        content = (folder / "a.txt").read_bytes()
        crash(int(content[:1]) if content != b"whole" else 0)

    reader = Reader("crashes", lambda _: [{"a.txt": b"whole"}], read, number_of)
    tally = try_inputs(reader, range(6), seed=0, folder=tmp_path)
    assert tally.faults == (Fault(BAD, "ended by SIGSEGV"),)
    assert tally.outcomes == {"read": 5, "ended by SIGSEGV": 1}


def number_of(generator, _sample: Files, _samples) -> Files:
    """Which input this is, found again by its draws."""
    for number in range(10):
        expected = trial.generator_of("crashes", number, seed=0)
        expected.integers(1)
        if expected.bit_generator.state == generator.bit_generator.state:
            return {"a.txt": str(number).encode()}
    raise AssertionError


def test_a_reader_that_refuses_whole_files_is_found(tmp_path: Path):
    reader = Reader(
        "refuses", lambda _: [{"a.txt": b""}], lambda _: fail(ValueError("no"))(), damaging(by=lambda *_: b"")
    )
    with pytest.raises(AssertionError, match="ValueError: no"):
        try_inputs(reader, range(3), seed=0, folder=tmp_path)


def test_an_input_depends_on_its_number_and_the_seed_alone():
    from fuzz.byte_damage import damage_bytes

    reader = Reader("a", lambda _: [], lambda _: None, damaging("a", by=damage_bytes))
    samples: list[Files] = [{"a": bytes(range(200))}, {"a": b"x" * 90}]
    made = [[damaged_input(reader, samples, number, seed=seed) for number in range(50)] for seed in (0, 0, 1)]
    assert made[0] == made[1]
    assert len({files["a"] for files in made[0] + made[2]}) > 90
