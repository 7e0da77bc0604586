import json
from pathlib import Path

import pytest

from rmae.reproduction.baselines import gather_baselines
from rmae.reproduction.record import BaselineRecord
from rmae.reproduction.tables import TABLES

SCORES = {"segment": ("miou",), "localise": ("attention_auc", "attention_mass"), "interactive": ("iou_1", "iou_3")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What two seeds left of the first arms that are put to each task."""
    for seed, auc, iou in ((0, 0.75, 0.5), (1, 0.25, None)):
        nearness = {"auc": {"value": auc}, "mass": {"value": None}}
        grabcut = {"name": "grabcut", "scores": {"iou_1": {"value": iou}}}
        found = {
            "localise/scratch": ("localisation.json", {"controls": {"nearness": nearness, "chance": nearness}}),
            "interactive/rae": (
                "interactive.json",
                {"methods": [grabcut], "completion": [], "visible_shares": []},
            ),
        }
        for task, (name, saved) in found.items():
            folder = tmp_path / task / f"seed_{seed}"
            folder.mkdir(parents=True)
            (folder / name).write_text(json.dumps(saved))
    return tmp_path


def test_baselines_are_those_beside_the_first_encoder_of_each_task(workspace: Path):
    assert gather_baselines(TABLES["a"], SCORES, (0, 1), workspace) == (
        BaselineRecord(label="nearness alone", scores={"localise.attention_auc": (0.75, 0.25)}),
        BaselineRecord(label="GrabCut", scores={"interactive.iou_1": (0.5, None)}),
    )


def test_tasks_that_were_not_done_have_none(workspace: Path):
    assert gather_baselines(TABLES["a"], {"segment": ("miou",)}, (0, 1), workspace) == ()


def test_a_missing_evaluation_is_told(workspace: Path):
    with pytest.raises(ValueError, match=r"localise/scratch/seed_2/localisation.json does not hold"):
        gather_baselines(TABLES["a"], SCORES, (0, 2), workspace)
