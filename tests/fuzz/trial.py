"""Damaged inputs to a reader, in a process of their own: a crash, a hang or a lack of memory ends that one alone."""

import faulthandler
import os
import resource
import shutil
import signal
import socket
import sys
import time
import traceback
import unicodedata
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fuzz.reader import Files, Reader

LONGEST_SENTENCE = 400
"""Characters of an error, that it can be read in a terminal."""
_CPU_SECONDS = 5  # for one input
_SILENT_SECONDS = 60  # after which a process that does not even compute is ended
_MEMORY = 3 * 2**30  # bytes beyond those that the process has when it begins
_READ = "read"


class Fault(NamedTuple):
    """An input at which a reader did not what it promises."""

    number: int
    """Which input."""
    what: str
    """What it did, in one line."""


class Tally(NamedTuple):
    """What came of inputs."""

    outcomes: Counter[str]
    """How many were read, and how many refused, by the class of the error."""
    faults: tuple[Fault, ...]
    """Those that a reader must not do."""
    seconds: float
    """How long it took."""


class TooLong(BaseException):
    """An input takes too long; no reader catches it."""


def generator_of(name: str, number: int, *, seed: int) -> np.random.Generator:
    """What an input of the reader of this name is drawn from."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def damaged_input(reader: Reader, samples: Sequence[Files], number: int, *, seed: int) -> Files:
    """Make one input, which depends on nothing but the reader, its samples, the number and the seed."""
    generator = generator_of(reader.name, number, seed=seed)
    sample = samples[int(generator.integers(len(samples)))]
    return reader.damage(generator, sample, samples)


def try_inputs(reader: Reader, numbers: range, *, seed: int, folder: Path) -> Tally:
    """Give damaged inputs to a reader.

    Args:
        reader: The reader.
        numbers: Which inputs.
        seed: They depend on it.
        folder: An empty one to work in.

    Returns:
        What came of them.
    """
    started = time.monotonic()
    (folder / "samples").mkdir()
    samples = reader.make(folder / "samples")
    outcomes: Counter[str] = Counter()
    faults: list[Fault] = []
    first = numbers.start
    while first < numbers.stop:
        lines, ending = _in_own_process(reader, samples, range(first, numbers.stop), seed, folder)
        for number, line in enumerate(lines, start=first):
            word, _, fault = line.partition("\t")
            outcomes[word] += 1
            if fault:
                faults.append(Fault(number, fault))
        first += len(lines)
        if ending:
            outcomes[ending] += 1
            faults.append(Fault(first, ending))
            first += 1
    return Tally(outcomes, tuple(faults), time.monotonic() - started)


def _in_own_process(
    reader: Reader, samples: Sequence[Files], numbers: range, seed: int, folder: Path
) -> tuple[list[str], str]:
    """A line for each input that was dealt with, and how the process ended unless all were."""
    log = folder / "outcomes"
    log.write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            _work(reader, samples, numbers, seed, folder, log)
        except BaseException:
            (folder / "failure").write_text(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    ending = _wait(child, log)
    if (folder / "failure").exists():
        raise AssertionError((folder / "failure").read_text())
    lines = log.read_text().splitlines()
    return lines, "" if len(lines) == len(numbers) else ending


def _wait(child: int, log: Path) -> str:
    """Wait for a process; returns how it ended."""
    size, since = 0, time.monotonic()
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        if log.stat().st_size > size:
            size, since = log.stat().st_size, time.monotonic()
        elif time.monotonic() - since > _SILENT_SECONDS:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"no answer within {_SILENT_SECONDS} seconds"
        time.sleep(0.01)


def _work(reader: Reader, samples: Sequence[Files], numbers: range, seed: int, folder: Path, log: Path) -> None:
    """The process: valid samples first, so that everything is loaded, then the damaged ones."""
    place = folder / "input"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    os.chdir(place)
    faulthandler.disable()  # a crash is told of by whoever waits
    printed = _redirect(folder)
    warnings.simplefilter("error")  # a warning is noise where a sentence should be
    socket.socket.connect = _refuse  # nothing that is read may ask anybody
    for sample in samples:
        _lay_out(sample)
        reader.read(Path())
    assert not os.fstat(printed).st_size, (folder / "printed").read_text(errors="replace")
    _limit()
    with log.open("w", buffering=1) as lines:
        for number in numbers:
            _lay_out(damaged_input(reader, samples, number, seed=seed))
            word, fault = _try(reader)
            if os.fstat(printed).st_size and not reader.prints_itself:
                fault = fault or f"printed {(folder / 'printed').read_text(errors='replace')[:200]!r}"
            os.ftruncate(printed, 0)
            lines.write(f"{word}\t{_plain(fault)}\n" if fault else f"{word}\n")


def _redirect(folder: Path) -> int:
    """Keep what native libraries print; nothing of it belongs to an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    printed = os.open(folder / "printed", os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_APPEND)
    os.dup2(printed, 2)
    sys.stderr = os.fdopen(os.dup(printed), "w", buffering=1)
    return printed


def _refuse(*_: Any) -> None:
    raise AssertionError("the network was used")


def _limit() -> None:
    def end(*_: Any) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, end)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _lay_out(files: Files) -> None:
    """Let these files, and no others, stand in the working folder."""
    for path in Path().rglob("*"):
        if not path.is_dir() and path.as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _try(reader: Reader) -> tuple[str, str]:
    """What came of the files in the working folder: a word, and what is wrong with that."""
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    try:
        reader.read(Path())
    except TooLong:
        return "too long", f"more than {_CPU_SECONDS} seconds of computing"
    except (Exception, MemoryError) as error:
        if is_clear(error, reader):
            return type(error).__name__, why_unclear(str(error), reader.named)
        return type(error).__name__, f"{type(error).__name__} at {_place(error)}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return _READ, ""


def is_clear(error: BaseException, reader: Reader) -> bool:
    """Whether an error is one that the reader documents: of that very class, or of one of the project's own below it.

    Other classes below it are those of libraries, whose words were not written for whoever reads them here.
    """
    ours = type(error).__module__.partition(".")[0] == "rmae"
    return isinstance(error, reader.clear) and (type(error) in reader.clear or ours)


def why_unclear(sentence: str, named: str) -> str:
    """Why an error is no clear sentence; empty where it is one."""
    if not sentence.strip():
        return "an error without words"
    if any(unicodedata.category(letter) == "Cc" for letter in sentence):
        return f"an error of several lines or with control characters: {sentence}"
    if len(sentence) > LONGEST_SENTENCE:
        return f"an error of {len(sentence)} characters: {sentence}"
    if named not in sentence:
        return f"an error that does not name {named}: {sentence}"
    return ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "rmae" in frame.filename or "fuzz" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _plain(text: str) -> str:
    """A fault on one line of the log."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])
