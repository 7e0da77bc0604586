"""Readers of configurations, and of what visitors of the app send."""

import base64
import json
from pathlib import Path

from fuzz.reader import Files, Reader, damaging
from fuzz.tree_damage import damage_json, damage_values
from rmae.app.actions import MOST_ACTIONS, parse_request
from rmae.config import DataConfig, PretrainConfig
from rmae.config.classification import FinetuneConfig, KnnConfig, LinearConfig
from rmae.config.detection import DetectConfig
from rmae.config.interactive import InteractiveConfig
from rmae.config.localisation import LocaliseConfig
from rmae.config.segmentation import SegmentConfig
from rmae.config_json import config_from_json, config_to_json
from rmae.files import read_json
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.live import Live
from rmae.regions.slic import Slic
from rmae.regions.stored import Stored

_KINDS = {
    kind.__name__: kind
    for kind in (
        PretrainConfig, KnnConfig, LinearConfig, FinetuneConfig, SegmentConfig, DetectConfig, LocaliseConfig,
        InteractiveConfig,
    )
}  # fmt: skip
_SOURCES = (
    CocoInstances(annotations=("a.json",)),
    CocoPanoptic(annotations="a.json"),
    Live(source=Slic()),
    Stored(path="a.regions"),
)


def _make_configs(_: Path) -> list[Files]:
    configs = [kind() for kind in _KINDS.values()]
    configs += [PretrainConfig(data=DataConfig(regions=source)) for source in _SOURCES]
    return [{f"{type(config).__name__}.json": json.dumps(config_to_json(config)).encode()} for config in configs]


def _read_config(folder: Path) -> None:
    (path,) = folder.glob("*.json")
    try:
        saved = read_json(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    kind = _KINDS[path.stem]
    config = config_from_json(kind, saved, where=str(path))
    assert config_from_json(kind, json.loads(json.dumps(config_to_json(config))), where="again") == config


def _make_requests(_: Path) -> list[Files]:
    picture = base64.b64encode(b"picture").decode()
    requests = (
        [
            {"kind": "open_file", "name": "a.jpg", "encoded": picture},
            {"kind": "point", "x": 1.5, "y": 2, "positive": True},
        ],
        [{"kind": "stroke", "points": [[1, 2], [3, 4.5]], "width": 3, "positive": False}, {"kind": "undo"}],
        [{"kind": "box", "xyxy": [1, 2, 3, 4]}, {"kind": "show", "view": "attention"}, {"kind": "ask", "x": 1, "y": 2}],
        [{"kind": "attend", "layer": 1, "head": None}, {"kind": "show_regions", "source": 1, "label_map": None}],
        [{"kind": "download", "wanted": "coco", "model": 0}, {"kind": "compare", "on": True}, {"kind": "new_object"}],
    )
    return [{"a.json": json.dumps({"number": 1, "has_picture": 0, "actions": some}).encode()} for some in requests]


def _read_request(folder: Path) -> None:
    request = parse_request(read_json(folder / "a.json"))
    assert request.number >= 0
    assert len(request.actions) <= MOST_ACTIONS


READERS = (
    Reader("configurations", _make_configs, _read_config, damaging(by=damage_json), named=".json"),
    Reader("requests to the app", _make_requests, _read_request, damaging("a.json", by=damage_values)),
)
