import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from rmae.config import OptimizerConfig, RunConfig
from rmae.config.classification import FinetuneConfig, KnnConfig
from rmae.evaluation.folder import (
    Estimate,
    Evaluation,
    check_seeds,
    finished_scores,
    read_config,
    results_file,
    save_results,
    start_evaluation,
    summarise,
)

CONFIG = KnnConfig()


def start(path: Path, config=CONFIG, *, resume=False, **changed):
    known = {"task": "knn", "encoder": "scratch", "weights": "1a2b", "data": "/pictures", "fingerprint": "6 pictures"}
    return start_evaluation(path, config, **known | changed, resume=resume)


def begin(path: Path) -> None:
    """Let something come of an evaluation."""
    (path / "metrics.jsonl").touch()


def test_scores_of_several_seeds_have_a_mean_and_a_standard_deviation():
    found = summarise([{"top1": 0.5, "top5": 1.0}, {"top1": 0.7, "top5": 1.0}, {"top1": 0.6, "top5": 1.0}])
    assert list(found) == ["top1", "top5"]
    assert found["top1"].mean == pytest.approx(0.6)
    assert found["top1"].std == pytest.approx(0.1)
    assert found["top1"].values == (0.5, 0.7, 0.6)
    assert summarise([{"top1": 0.5}])["top1"].std is None


def test_results_come_back_and_what_is_not_defined_is_null(tmp_path):
    folder = start(tmp_path / "run")
    assert finished_scores(folder, CONFIG) is None
    scores = {"top1": 0.5, "top5": math.nan}
    done = Evaluation(
        task="knn", encoder="scratch", data="/pictures", seeds=(0,), scores=summarise([scores]), folder=folder.path
    )
    save_results(done, CONFIG, results_file(folder.path))
    saved = json.loads(results_file(folder.path).read_text())
    assert saved["scores"]["top5"] == {"mean": None, "std": None, "values": [None], "interval": None}
    found = finished_scores(folder, CONFIG)
    assert found["top1"] == 0.5
    assert math.isnan(found["top5"])


def test_intervals_come_back_and_are_left_out_where_there_are_several_seeds(tmp_path):
    folder = start(tmp_path / "run")
    scores = {"iou_1": Estimate(0.5, 0.25, 0.75), "iou_3": Estimate(math.nan, math.nan, math.nan)}
    done = Evaluation(
        task="knn", encoder="scratch", data="/pictures", seeds=(0,), scores=summarise([scores]), folder=folder.path
    )
    save_results(done, CONFIG, results_file(folder.path))
    found = finished_scores(folder, CONFIG)
    assert found["iou_1"] == Estimate(0.5, 0.25, 0.75)
    assert all(math.isnan(number) for number in found["iou_3"])
    several = summarise([scores, {"iou_1": Estimate(0.7, 0.6, 0.8), "iou_3": 0.1}])
    assert several["iou_1"].interval is None
    assert several["iou_1"].mean == pytest.approx(0.6)
    assert several["iou_1"].std == pytest.approx(0.02**0.5)


def test_a_folder_is_gone_on_with_where_nothing_else_changed(tmp_path):
    start(tmp_path / "run")
    begin(tmp_path / "run")
    start(tmp_path / "run", replace(CONFIG, run=RunConfig(num_threads=1)), resume=True)
    assert read_config(tmp_path / "run", KnnConfig, task="knn").run.num_threads == 1
    with pytest.raises(ValueError, match=r"has encoder scratch, not runs/demo; go on with the same"):
        start(tmp_path / "run", resume=True, encoder="runs/demo", weights="3c4d")
    with pytest.raises(ValueError, match=r"scratch has other weights than when .*; name the checkpoint of then, or"):
        start(tmp_path / "run", resume=True, weights="3c4d")
    start(tmp_path / "run", resume=True, encoder="runs/called/otherwise")
    with pytest.raises(ValueError, match="has pictures 6 pictures, not 7 pictures"):
        start(tmp_path / "run", resume=True, fingerprint="7 pictures")
    with pytest.raises(ValueError, match=r"has run.seed 0, not 5; it cannot be changed now"):
        start(tmp_path / "run", replace(CONFIG, run=RunConfig(seed=5)), resume=True)


def test_a_folder_in_use_is_not_taken(tmp_path):
    start(tmp_path / "run")
    begin(tmp_path / "run")
    with pytest.raises(ValueError, match="is not empty"):
        start(tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text('{"format": "run", "version": 1}')
    with pytest.raises(ValueError, match=r"does not describe an evaluation \(it is a run\)"):
        start(tmp_path / "run", resume=True)
    (tmp_path / "run" / "config.json").write_text('{"format": "evaluation", "version": 9}')
    with pytest.raises(ValueError, match="is of format version 9; this rmae reads version 1"):
        read_config(tmp_path / "run", KnnConfig, task="knn")


def test_of_several_seeds_the_first_gives_the_configuration(tmp_path):
    assert read_config(tmp_path, KnnConfig, task="knn") is None
    for seed in (10, 9):
        start(tmp_path / f"seed_{seed}", replace(CONFIG, run=RunConfig(seed=seed)))
    assert read_config(tmp_path, KnnConfig, task="knn").run.seed == 9


def test_a_score_that_a_seed_does_not_have_has_no_mean_and_no_deviation():
    found = summarise([{"ap": math.nan}, {"ap": 0.5}])["ap"]
    assert math.isnan(found.mean)
    assert math.isnan(found.std)
    assert found.values[1] == 0.5


def test_settings_that_nothing_came_of_are_no_evaluation_yet(tmp_path):
    for resume in (False, True):
        start(tmp_path / "run", encoder="mistyped")
        (tmp_path / "run" / "seed_0").mkdir(exist_ok=True)
        (tmp_path / "run" / "seed_0" / ".config.json.partial").write_text('{"format": "e')  # that a kill left
        start(tmp_path / "run", resume=resume)
        assert json.loads((tmp_path / "run" / "config.json").read_text())["encoder"] == "scratch"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"mine": true}')
    with pytest.raises(ValueError, match="is not empty"):
        start(tmp_path / "other")


def test_results_of_a_shorter_evaluation_do_not_count(tmp_path):
    short, long = (
        FinetuneConfig(optimizer=OptimizerConfig(epochs=epochs, batch_size=2, clip_grad=clip))
        for epochs, clip in ((1, None), (2, 1.0))
    )
    folder = start(tmp_path / "run", short)
    done = Evaluation(
        task="finetune", encoder="scratch", data="/pictures", seeds=(0,), scores=summarise([{"top1": 0.5}]),
        folder=folder.path,
    )  # fmt: skip
    save_results(done, short, results_file(folder.path))
    assert finished_scores(folder, long) is None
    assert finished_scores(folder, replace(long, optimizer=replace(long.optimizer, epochs=1))) == {"top1": 0.5}


def test_damaged_results_are_said(tmp_path):
    folder = start(tmp_path / "run")
    results_file(folder.path).write_text("{")
    with pytest.raises(ValueError, match=r"results.json does not hold the results of an evaluation .*; delete it"):
        finished_scores(folder, CONFIG)


def test_one_seed_and_several_do_not_share_a_folder(tmp_path):
    start(tmp_path / "one")
    begin(tmp_path / "one")
    check_seeds(tmp_path / "one", 1)
    with pytest.raises(ValueError, match=r"one has one seed, not 3; leave out --seeds"):
        check_seeds(tmp_path / "one", 3)
    for seed in (0, 1):
        start(tmp_path / "several" / f"seed_{seed}")
    check_seeds(tmp_path / "several", 3)
    with pytest.raises(ValueError, match=r"has several seeds \(seed_0, seed_1 so far\); say how many, .*\(--seeds\)"):
        check_seeds(tmp_path / "several", 1)


def test_the_configuration_of_another_task_is_refused(tmp_path):
    start(tmp_path / "run")
    with pytest.raises(ValueError, match="run has task knn, not finetune; choose another folder"):
        read_config(tmp_path / "run", FinetuneConfig, task="finetune")
