import json
from pathlib import Path
from typing import Any

import pytest

from rmae.evaluation.interactive.results import RESULTS, read_baselines


def scores(**values: float | None) -> dict[str, Any]:
    return {name: {"value": value, "low": None, "high": None} for name, value in values.items()}


def test_what_stands_beside_the_model_is_read_by_the_names_of_its_scores(tmp_path: Path):
    saved = {
        "visible_shares": [0.05, 0.5],
        "methods": [
            {"name": "model", "scores": scores(iou_1=0.9)},
            {"name": "grabcut", "scores": scores(iou_1=0.5, clicks_85=None)},
        ],
        "completion": [
            {"name": "model", "iou_hidden": [{"value": 0.9}, {"value": 0.8}]},
            {"name": "nearest", "iou_hidden": [{"value": None}, {"value": 0.25}]},
        ],
    }
    (tmp_path / RESULTS).write_text(json.dumps(saved))
    assert read_baselines(tmp_path) == {"grabcut": {"iou_1": 0.5}, "nearest": {"visible_iou_50": 0.25}}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"visible_shares": [0.5], "methods": [{"name": "grabcut"}], "completion": []}']
)
def test_what_is_no_such_file_is_told_in_a_sentence(text: str, tmp_path: Path):
    (tmp_path / RESULTS).write_text(text)
    with pytest.raises(ValueError, match=r"interactive\.json does not hold what an evaluation wrote \(.*; delete its"):
        read_baselines(tmp_path)
    (tmp_path / RESULTS).unlink()
    with pytest.raises(ValueError, match=r"interactive\.json does not hold"):
        read_baselines(tmp_path)
