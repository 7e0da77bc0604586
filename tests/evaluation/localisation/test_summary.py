"""Scores of objects put together, from numbers that are made up."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.folder import Estimate
from rmae.evaluation.localisation.data import open_data
from rmae.evaluation.localisation.measurement import EncoderScores, Measured
from rmae.evaluation.localisation.report import short_names
from rmae.evaluation.localisation.results import RESULTS, read_baselines, write_results
from rmae.evaluation.localisation.scores import SCORE_NAMES
from rmae.evaluation.localisation.summary import KINDS, Summary, summarise
from rmae.evaluation.objects.pictures import Part

NAN = math.nan


@pytest.fixture
def part(write_coco: Callable[..., Path], rectangle: Callable[..., dict]) -> Part:
    """Four objects on two pictures, and a crowd."""
    entries = [rectangle(i, 0, 0, 20, 20) for i in (1, 1, 1, 2)]
    root = write_coco(train={1: (32, 32), 2: (32, 32)}, annotations=[*entries, rectangle(2, 0, 0, 9, 9, iscrowd=1)])
    return open_data(LocaliseConfig(), root).part


def scores(*auc: float, mass: float = 0.5) -> np.ndarray:
    """Shape (n, 4): with these areas under the curve, and all else alike."""
    return np.array([[each, mass, 1.0, 0.25] for each in auc])


def encoder(auc: tuple[float, ...], *, mass: float = 0.5) -> EncoderScores:
    """Two layers of three heads; of the first layer every score is 0."""
    num_objects = len(auc)
    last = scores(*auc, mass=mass)
    heads = np.zeros((num_objects, 2, 3))
    heads[:, 1] = np.array(auc)[:, None] - [0.1, 0.2, 0.3]
    return EncoderScores(
        layers=np.stack([np.zeros_like(last), last], axis=1),
        head_auc=heads,
        similarity=last - [0.125, 0, 0, 0],
        elsewhere=np.full((num_objects, 2), 0.25),
        on_itself=np.full((num_objects, 2), 0.5),
    )


@pytest.fixture
def summary(part: Part) -> Summary:
    ours, theirs = encoder((0.5, 0.5, 0.5, 0.75)), encoder((0.75, 0.75, 0.75, 1.0))
    theirs.layers[0, 1, 1] = NAN  # the first object has no mass
    controls = np.zeros((4, 3, 4))
    controls[:, 1] = scores(0.25, 0.5, 0.75, 0.5, mass=NAN)
    measured = Measured(np.arange(4), np.array([0, 0, 0, 1]), controls, (ours, theirs), Counter({"too odd": 2}))
    return summarise(measured, part, ["ours", "theirs"], layer=-1, num_resamples=500, seed=0)


def test_means_and_intervals_are_over_objects_by_picture(summary: Summary):
    assert (summary.num_objects, summary.num_pictures) == (4, 2)
    first = summary.encoders[0]
    assert (first.name, first.layer) == ("ours", 1)
    assert first.maps["attention"]["auc"] == Estimate(2.25 / 4, 0.5, 0.75)  # resamples of one picture or the other
    assert first.maps["similarity"]["auc"] == Estimate(1.75 / 4, 0.375, 0.625)
    assert first.layers[0] == dict.fromkeys(SCORE_NAMES, Estimate(0.0, 0.0, 0.0))
    assert first.layers[1] == first.maps["attention"]
    np.testing.assert_allclose(first.head_auc, [[0, 0, 0], [0.4625, 0.3625, 0.2625]])
    assert first.elsewhere == (Estimate(0.25, 0.25, 0.25),) * 2
    assert first.on_itself == (Estimate(0.5, 0.5, 0.5),) * 2
    assert list(summary.headline())[:2] == ["attention_auc", "attention_mass"]
    assert summary.headline()["similarity_iou"] == Estimate(0.25, 0.25, 0.25)


def test_differences_are_paired(summary: Summary):
    """Scores differ between pictures by as much as between encoders; their difference does not."""
    found = {(each.encoder, each.to, each.kind): each.scores for each in summary.differences}
    assert found["theirs", "ours", "attention"]["auc"] == Estimate(0.25, 0.25, 0.25)
    assert found["theirs", "ours", "attention"]["iou"] == Estimate(0.0, 0.0, 0.0)
    assert found["ours", "nearness", "attention"]["auc"] == pytest.approx((0.0625, 0.0, 0.25))
    assert all(math.isnan(value) for value in found["ours", "nearness", "attention"]["mass"])
    assert len(found) == 2 * 3


def test_what_is_not_defined_is_counted_and_left_out_of_means(summary: Summary):
    ours, theirs = summary.encoders
    assert ours.undefined == {"attention": {}, "similarity": {}}
    assert theirs.undefined == {"attention": {"mass": 1}, "similarity": {}}
    assert theirs.maps["attention"]["mass"] == Estimate(0.5, 0.5, 0.5)


def test_objects_left_out_are_told_by_the_reason(summary: Summary):
    assert summary.left_out == {"standing for a crowd": 1, "too odd": 2}


def test_everything_is_written_as_json(summary: Summary, tmp_path: Path):
    write_results(summary, tmp_path / "found.json")
    saved = json.loads((tmp_path / "found.json").read_text())
    assert (saved["format"], saved["version"]) == ("localisation", 1)
    assert saved["controls"]["nearness"]["mass"] == {"value": None, "low": None, "high": None}
    assert saved["encoders"][1]["undefined"]["attention"] == {"mass": 1}
    assert saved["encoders"][0]["layers"][1]["head_auc"] == pytest.approx([0.4625, 0.3625, 0.2625])
    assert saved["encoders"][0]["layers"][1]["attention_on_itself"]["value"] == 0.5
    assert saved["differences"][0]["scores"]["auc"] == {"value": 0.25, "low": 0.25, "high": 0.25}
    assert saved["left_out"] == {"standing for a crowd": 1, "too odd": 2}


def test_controls_are_read_again(summary: Summary, tmp_path: Path):
    write_results(summary, tmp_path / RESULTS)
    baselines = read_baselines(tmp_path)
    assert list(baselines) == ["chance", "nearness", "ceiling"]
    nearness = summary.controls["nearness"]
    scores = {name: nearness[name].value for name in ("auc", "pointing", "iou")}  # there is no mass
    assert baselines["nearness"] == {f"{kind}_{name}": value for kind in KINDS for name, value in scores.items()}


@pytest.mark.parametrize("text", ["", "[]", '{"controls": []}', '{"controls": {"chance": {"auc": 0.5}}}'])
def test_what_has_no_controls_is_told_in_a_sentence(text: str, tmp_path: Path):
    (tmp_path / RESULTS).write_text(text)
    with pytest.raises(ValueError, match=r"localisation\.json does not hold what an evaluation wrote \(.*; delete its"):
        read_baselines(tmp_path)


def test_encoders_are_called_by_the_ends_of_their_paths_where_these_differ():
    assert short_names(["runs/a", "vit.mae", "scratch"]) == ["a", "vit.mae", "scratch"]
    assert short_names(["one/run", "other/run"]) == ["one/run", "other/run"]
    assert short_names(["a/run", "a/run"]) == ["run", "run"]
