"""JSON of any shape where a file of a certain shape should be."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.all_readers import READERS
from fuzz.reader import Files
from fuzz.trial import why_unclear

FILES = {
    "run lengths": "a.json",
    "SA-1B masks": "a.json",
    "COCO instances": "a.json",
    "COCO objects": "annotations/instances_val2017.json",
    "LVIS objects": "annotations/lvis_v1_val.json",
    "panoptic regions": "a.json",
    "panoptic labels": "a.json",
    "model folder": "saved/config.json",
    "folders of timm and transformers": "saved/config.json",
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
}
"""The JSON file of each reader that has one."""

NO_FILES = {
    "nothing": b"", "open": b"[", "list": b"[]", "number": b"7", "null": b"null", "text": b'"text"', "object": b"{}",
    "deep": b"[" * 100_000, "deep object": b'{"format":' * 900 + b"1" + b"}" * 900, "no text": b'{"a": "\xff"}',
    "constant": b'{"version": NaN}', "digits": b'{"version": ' + b"9" * 5000 + b"}",
    "long": b'"' + b"x" * 10_000 + b'"', "lines": b'{"a": 1}\n[]\n', "two": b"{} {}",
}  # fmt: skip

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


def read(name: str, sample: Files, content: bytes) -> None:
    """Read a sample one of whose files has this content: as promised, or with a clear error."""
    for path in Path().rglob("*"):
        if not path.is_dir() and path.as_posix() not in sample:
            path.unlink()
    for file, whole in {**sample, FILES[name]: content}.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_bytes(whole)
    reader = READERS[name]
    sentence = None
    try:
        reader.read(Path())
    except reader.clear as error:
        sentence = str(error)
    assert sentence is None or why_unclear(sentence, reader.named) == ""


@pytest.mark.parametrize("content", NO_FILES)
def test_what_is_no_such_file_is_refused_clearly(reading: tuple[str, Files], content: str):
    read(*reading, NO_FILES[content])


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES)
def test_any_value_is_refused_clearly(reading: tuple[str, Files], value: Any):
    read(*reading, json.dumps(value).encode())


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES, data=st.data())
def test_any_value_anywhere_is_refused_clearly_or_read_as_promised(reading: tuple[str, Files], value: Any, data: Any):
    name, sample = reading
    tree = [json.loads(sample[FILES[name]].splitlines()[0] if ".jsonl" in FILES[name] else sample[FILES[name]])]
    holder, key = tree, 0
    while isinstance(holder[key], list | dict) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(range(len(holder)) if isinstance(holder, list) else sorted(holder)))
    holder[key] = value
    read(name, sample, json.dumps(tree[0]).encode() + b"\n")
