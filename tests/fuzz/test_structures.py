"""JSON of any shape where a file of a certain shape should be."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.all_readers import READERS
from fuzz.reader import Files
from fuzz.trial import is_clear, why_unclear

FILES = {
    "run lengths": "a.json",
    "SA-1B masks": "a.json",
    "COCO instances": "a.json",
    "COCO objects": "annotations/instances_val2017.json",
    "LVIS objects": "annotations/lvis_v1_val.json",
    "panoptic regions": "panoptic.json",
    "panoptic labels": "panoptic.json",
    "model folder": "saved/config.json",
    "folders of timm and transformers": "saved/config.json",
    "timm folder as encoder": "saved/config.json",
    "checkpoint": "run/checkpoints/update_000000003/config.json",
    "run": "run/config.json",
    "metrics": "run/metrics.jsonl",
    "list of skipped images": "skipped.jsonl",
    "evaluation": "evaluated/results.json",
    "results of pictures": "objects.jsonl",
    "results of methods and controls": "evaluated/interactive.json",
    "reproduced table": "a-tiny.json",
    "piece of a table": "records/a.json",
    "record of a visualisation": "look/visualization.json",
    "configurations": "PretrainConfig.json",
    "requests to the app": "a.json",
    "packing settings": "packed/rmae-packing.json",
    "region store": "a.regions",
}
"""The file of each reader that has JSON in it."""

GIVEN_VALUES = ("run lengths", "requests to the app")
"""Readers that are given what JSON holds."""

NO_JSON = {
    "nothing": b"", "open": b"[", "deep": b"[" * 100_000, "no text": b'{"a": "\xff"}',
    "digits": b'{"version": ' + b"9" * 5000 + b"}", "lines": b'{"a": 1}\n[]\n', "two": b"{} {}",
}  # fmt: skip
OTHER_JSON = {
    "list": b"[]", "number": b"7", "null": b"null", "text": b'"text"', "object": b"{}",
    "deep object": b'{"format":' * 900 + b"1" + b"}" * 900, "constant": b'{"version": NaN}',
    "long": b'"' + b"x" * 10_000 + b'"',
}  # fmt: skip
RIGHTLY_READ = {
    "metrics": {"nothing"},  # of a run that was stopped before its first line
    "list of skipped images": NO_JSON.keys() - {"lines"},  # half a line of a run that was killed; the next goes on
    "results of pictures": {"nothing", "lines", *OTHER_JSON},  # begun anew: its first line is of other settings
    "configurations": {"object"},  # every knob has a default
}
"""What is no file as a reader expects it, and yet not to be refused."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module", params=FILES)
def reading(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Files]]:
    """A reader's name and a valid sample, laid out in the working folder."""
    reader = READERS[request.param]
    folder = tmp_path_factory.mktemp("made")
    (folder / "samples").mkdir()
    sample = next(files for files in reader.make(folder / "samples") if FILES[reader.name] in files)
    (folder / "input").mkdir()
    before = Path.cwd()
    os.chdir(folder / "input")
    yield reader.name, sample
    os.chdir(before)


def read(name: str, sample: Files, content: bytes) -> str | None:
    """Read a sample whose JSON is this; returns the sentence of a clear error, or None where it is read as promised."""
    for path in Path().rglob("*"):
        if not path.is_dir() and path.as_posix() not in sample:
            path.unlink()
    content = with_header(sample[FILES[name]], content) if name == "region store" else content
    for file, whole in {**sample, FILES[name]: content}.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_bytes(whole)
    reader = READERS[name]
    sentence = None
    try:
        reader.read(Path())
    except reader.clear as error:
        if not is_clear(error, reader):
            raise
        sentence = str(error)
    assert sentence is None or why_unclear(sentence, reader.named) == ""
    return sentence


def header_of(store: bytes) -> bytes:
    """The JSON in a region store."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(store)
        ((text,),) = connection.execute("SELECT header FROM header")
        return text.encode()


def with_header(store: bytes, content: bytes) -> bytes:
    """A region store with another JSON in it, which may be no text."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(store)
        connection.execute("UPDATE header SET header = CAST(? AS TEXT)", (content,))
        return connection.serialize()


def test_every_reader_of_json_is_listed(tmp_path: Path):
    found = set()
    for number, reader in enumerate(READERS.values()):
        (tmp_path / str(number)).mkdir()
        samples = reader.make(tmp_path / str(number))
        found |= {reader.name for files in samples for file in files if file.endswith((".json", ".jsonl"))}
    assert found == FILES.keys() - {"region store"}  # whose JSON is in a database


def whole(name: str, content: bytes) -> bytes:
    """A file that nobody is about to go on with: a last line without its end is what a kill leaves."""
    return content.rstrip(b"\n") + b"\n" if content and FILES[name].endswith(".jsonl") else content


@pytest.mark.parametrize("reading", [name for name in FILES if name not in GIVEN_VALUES], indirect=True, scope="module")
@pytest.mark.parametrize("content", NO_JSON)
def test_what_is_no_json_is_refused_clearly(reading: tuple[str, Files], content: str):
    sentence = read(*reading, whole(reading[0], NO_JSON[content]))
    assert (sentence is None) == (content in RIGHTLY_READ.get(reading[0], ()))


@pytest.mark.parametrize("content", OTHER_JSON)
def test_what_is_no_such_file_is_refused_clearly(reading: tuple[str, Files], content: str):
    sentence = read(*reading, whole(reading[0], OTHER_JSON[content]))
    assert (sentence is None) == (content in RIGHTLY_READ.get(reading[0], ()))


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES)
def test_any_value_is_refused_clearly(reading: tuple[str, Files], value: Any):
    name = reading[0]
    sentence = read(*reading, whole(name, json.dumps(value).encode()))
    assert (sentence is None) == (name == "results of pictures" or (name, value) == ("configurations", {}))


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES, data=st.data())
def test_any_value_anywhere_is_refused_clearly_or_read_as_promised(reading: tuple[str, Files], value: Any, data: Any):
    name, sample = reading
    content = header_of(sample[FILES[name]]) if name == "region store" else sample[FILES[name]]
    tree = [json.loads(content.splitlines()[0] if ".jsonl" in FILES[name] else content)]
    holder, key = tree, 0
    while isinstance(holder[key], list | dict) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(range(len(holder)) if isinstance(holder, list) else sorted(holder)))
    holder[key] = value
    read(name, sample, json.dumps(tree[0]).encode() + b"\n")
