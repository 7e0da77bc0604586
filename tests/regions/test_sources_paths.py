from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.random_masks import RandomMasks
from rmae.regions.sam_json import SamJson
from rmae.regions.segment_anything import SegmentAnything
from rmae.regions.slic import Slic
from rmae.regions.sources import NamedSource, with_absolute_paths


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the process, with a file and a folder; reached by a link, too."""
    here = tmp_path / "here"
    (here / "folder").mkdir(parents=True)
    (here / "a.json").touch()
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "link")
    return here


@pytest.mark.parametrize(
    ("source", "absolute"),
    [
        (
            CocoInstances(annotations=("a.json", "folder/../a.json")),
            CocoInstances(annotations=("{}/a.json", "{}/a.json")),
        ),
        (CocoPanoptic(annotations="a.json"), CocoPanoptic(annotations="{}/a.json")),
        (
            CocoPanoptic(annotations="a.json", folder="folder"),
            CocoPanoptic(annotations="{}/a.json", folder="{}/folder"),
        ),
        (SamJson(folder="./folder"), SamJson(folder="{}/folder")),
        (RandomMasks(store="a.json", seed=4), RandomMasks(store="{}/a.json", seed=4)),
        (SegmentAnything(checkpoint="folder"), SegmentAnything(checkpoint="{}/folder")),
    ],
)
def test_files_are_named_so_that_any_directory_will_do(source: NamedSource, absolute: NamedSource, here: Path):
    expected = type(absolute)(**{field.name: insert(getattr(absolute, field.name), here) for field in fields(absolute)})
    assert with_absolute_paths(source) == expected
    assert with_absolute_paths(expected) == expected


def insert(value: object, folder: Path) -> object:
    if isinstance(value, tuple):
        return tuple(insert(part, folder) for part in value)
    return value.replace("{}", str(folder)) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "source",
    [
        Felzenszwalb(scales=(5,)),
        Slic(),
        Grid(rows=2),
        SegmentAnything(checkpoint="facebook/sam-vit-base"),
        SamJson(folder="missing"),
        CocoInstances(annotations=("missing.json",)),
    ],
)
def test_what_is_no_file_here_stays_as_it_is(source: NamedSource, here: Path):
    assert with_absolute_paths(source) == source


def test_every_setting_that_may_be_a_file_is_known(here: Path):
    """A new source whose files have another name must tell `with_absolute_paths`."""
    no_files = {"kind", "device"}
    for cls in get_args(NamedSource):
        texts = {field.name for field in fields(cls) if "str" in str(field.type)} - no_files
        given = cls(**{name: ("a.json",) if "tuple" in str(cls.__annotations__[name]) else "a.json" for name in texts})
        found = with_absolute_paths(given)
        for name in texts:
            assert getattr(found, name) in (str(here / "a.json"), (str(here / "a.json"),))
