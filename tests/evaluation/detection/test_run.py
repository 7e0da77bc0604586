"""Detection as a whole: training, validation, what is written, and going on after a stop."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rmae.config import EncoderConfig, OptimizerConfig, ReadingConfig, RunConfig
from rmae.config.detection import DetectConfig
from rmae.evaluation.detection import run as detection
from rmae.evaluation.detection.presets import for_lvis, paper, small
from rmae.evaluation.detection.samples import build_samples
from rmae.evaluation.encoder import open_encoder
from rmae.interruption import TrainingStopped
from rmae.models.weights import newest_checkpoint, read_tensors
from rmae.models.weights.records import read_metrics
from rmae.scenes import make_scenes
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder
from stopped_runs import assert_identical, stop_at_batch

CONFIG = DetectConfig(
    encoder=EncoderConfig(img_size=64, drop_path=0.3, scratch_size="micro", scratch_patch_size=16),
    window_size=2, num_global_blocks=2, pyramid_scales=(2.0, 1.0), pyramid_channels=8, proposal_depth=1, box_depth=1,
    box_width=16, mask_depth=1, anchor_scale=4.0, anchors_sampled=16, boxes_sampled=8, proposals_before_nms=30,
    proposals_after_nms=10, num_detections=5, score_threshold=0.0, num_examples=0,
    reading=ReadingConfig(num_workers=0),
    optimizer=OptimizerConfig(epochs=None, updates=5, batch_size=4, base_lr=1e-1, warmup=0.2),
    run=RunConfig(accelerator="cpu", log_every=1, checkpoint_every=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp("scenes") / "scenes", num_train=12, num_val=3, size_hw=(64, 64))


def go(config, root, path):
    path.mkdir(exist_ok=True)
    folder = RunFolder(path)
    encoder = open_encoder("scratch", config.encoder, seed=config.run.seed)
    with open_ranks(config.run) as ranks:
        scores = detection.evaluate(config, encoder, detection.open_data(config, root), folder, ranks)
    return scores, folder


def test_a_run_leaves_scores_predictions_metrics_and_a_report(scenes, tmp_path):
    scores, folder = go(replace(CONFIG, evaluate_every=2, num_examples=2), scenes, tmp_path / "run")
    assert list(scores) == [
        f"{kind}_ap{suffix}" for kind in ("box", "mask") for suffix in ("", "50", "75", "_small", "_medium", "_large")
    ]
    assert all(math.isnan(score) or 0 <= score <= 1 for score in scores.values())
    results = json.loads((folder.path / "predictions.json").read_text())
    truth = json.loads((scenes / "annotations" / "instances_val2017.json").read_text())
    assert {result["image_id"] for result in results} == {image["id"] for image in truth["images"]}
    assert {result["category_id"] for result in results} <= {1, 2, 3}
    assert len(results) == 3 * CONFIG.num_detections
    lines = read_metrics(folder.metrics)
    assert [line["update"] for line in lines if "loss" in line] == [1, 2, 3, 4, 5]
    assert [line["update"] for line in lines if "box_ap" in line] == [2, 4]
    parts = ("rpn_objectness_loss", "rpn_box_loss", "classifier_loss", "box_loss", "mask_loss")
    for line in lines:
        if "loss" in line:
            assert line["loss"] == pytest.approx(sum(line[part] for part in parts))
    page = folder.report.read_text()
    for expected in ("Box AP", "triangle", "Truth", "Found", truth["images"][0]["file_name"]):
        assert expected in page


@pytest.mark.slow
def test_predictions_are_scored_by_others_as_here(write_coco, rectangle, tmp_path, capsys):
    """pycocotools reads what was written, with the data set's own file, of pictures that were learned by heart."""
    root = write_coco(train={i: (48, 64) for i in (5, 7)}, annotations=[rectangle(i, 8, 8, 40, 40) for i in (5, 7)])
    for path in [*root.glob("*2017/*.png")]:
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[8:40, 8:40] = 255
        Image.fromarray(pixels).save(path)
    optimizer = OptimizerConfig(epochs=None, updates=40, batch_size=2, base_lr=0.13, warmup=0.1)
    encoder = replace(CONFIG.encoder, drop_path=0.0)
    config = replace(CONFIG, encoder=encoder, optimizer=optimizer, jitter=(1.0, 1.0), flip=0.0)
    scores, folder = go(config, root, tmp_path / "run")
    truth = COCO(str(root / "annotations" / "instances_val2017.json"))
    evaluation = COCOeval(truth, truth.loadRes(str(folder.path / "predictions.json")), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    assert scores["box_ap"] == pytest.approx(evaluation.stats[0], abs=1e-9)
    assert scores["box_ap50"] == pytest.approx(evaluation.stats[1], abs=1e-9)
    assert scores["box_ap50"] > 0.5


@pytest.mark.parametrize("repeat_threshold", [None, 1.0])
def test_stopping_and_resuming_is_bit_identical(scenes, tmp_path, monkeypatch, repeat_threshold):
    """With two workers there, with none here; in the second epoch, and between checkpoints."""
    optimizer = replace(CONFIG.optimizer, accumulate=2)
    config = replace(CONFIG, repeat_threshold=repeat_threshold, evaluate_every=2, optimizer=optimizer)
    unbroken, whole = go(replace(config, reading=ReadingConfig(num_workers=2)), scenes, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at_batch(patch, detection, 2 * 3)  # two steps an update
        with pytest.raises(TrainingStopped, match="stopped by SIGTERM after update 3 of 5"):
            go(config, scenes, tmp_path / "stopped")
    resumed, stopped = go(config, scenes, tmp_path / "stopped")
    lines = read_metrics(stopped.metrics)
    assert [line["update"] for line in lines if "loss" in line] == [1, 2, 3, 4, 5]
    ours, theirs = (read_tensors(newest_checkpoint(folder.path)) for folder in (whole, stopped))
    assert len(ours) > 100
    assert_identical(ours, theirs)
    assert str(resumed) == str(unbroken)
    assert (whole.path / "predictions.json").read_bytes() == (stopped.path / "predictions.json").read_bytes()
    assert str(go(config, scenes, tmp_path / "stopped")[0]) == str(unbroken)  # nothing is left to train
    assert read_metrics(stopped.metrics) == lines


def test_repeated_pictures_make_no_run_longer(scenes, tmp_path):
    """As in detectron2's settings for LVIS, where 100 epochs of 100,000 pictures are 156,250 updates of 64."""
    optimizer = replace(CONFIG.optimizer, updates=None, epochs=2)
    config = replace(CONFIG, repeat_threshold=1.0, optimizer=optimizer)
    data = detection.open_data(config, scenes)
    assert len(build_samples(config, data, pixel_mean=(0.5, 0.5, 0.5), seed=0)) >= 14
    _, folder = go(config, scenes, tmp_path / "run")
    assert [line["update"] for line in read_metrics(folder.metrics) if "loss" in line] == [1, 2, 3, 4, 5, 6]


def test_lvis_and_empty_pictures_train_and_are_scored(write_coco, rectangle, tmp_path):
    """One picture is empty, one has but a crowd; some categories have nothing to be found."""
    entries = [
        rectangle(1, 4, 4, 30, 40), rectangle(1, 20, 20, 60, 60, category=2), rectangle(3, 4, 4, 30, 40, iscrowd=1),
        rectangle(4, 70, 70, 90, 90),
    ]  # fmt: skip
    categories = [{"id": i, "name": f"c{i}", "frequency": f} for i, f in ((1, "f"), (2, "r"), (7, "c"))]
    more = {1: {"neg_category_ids": [7], "not_exhaustive_category_ids": [1]}}
    root = write_coco(
        train={i: (64, 64) for i in (1, 2, 3, 4)}, annotations=entries, categories=categories, lvis=True, images=more
    )
    config = replace(CONFIG, layout="lvis", repeat_threshold=0.9, empty_pictures=True, num_detections=300)
    scores, folder = go(config, root, tmp_path / "run")
    assert math.isnan(scores["box_ap_common"])
    assert scores["box_ap_rare"] >= 0
    page = folder.report.read_text()
    assert "1 object is left out of lvis_v1_val.json: 1 outside of their picture" in page


def test_pictures_that_cannot_be_read_are_listed(tmp_path, write_coco, rectangle):
    root = write_coco(train={i: (64, 64) for i in range(6)}, annotations=[rectangle(i, 4, 4, 40, 40) for i in range(6)])
    (root / "train2017" / "3.png").unlink()
    config = replace(CONFIG, optimizer=replace(CONFIG.optimizer, updates=3))
    _, folder = go(config, root, tmp_path / "run")
    assert [json.loads(line)["name"] for line in folder.skipped_images.read_text().splitlines()] == ["3.png"]
    assert "1 picture could not be read" in folder.report.read_text()


def test_too_few_pictures_are_explained(write_coco, rectangle, tmp_path):
    root = write_coco(train={1: (64, 64)}, annotations=[rectangle(1, 4, 4, 40, 40)])
    with pytest.raises(ValueError, match="the data hold 1 samples an epoch, fewer than one batch of 4"):
        go(CONFIG, root, tmp_path / "run")


def test_presets_are_the_papers_and_one_for_small_machines():
    config = paper()
    assert (config.encoder.image_hw, config.encoder.layer_decay, config.encoder.drop_path) == ((1024, 1024), 0.7, 0.1)
    assert (config.optimizer.lr, config.optimizer.batch_size, config.optimizer.weight_decay) == (1e-4, 64, 0.1)
    assert config.optimizer.epochs == 100
    assert (config.window_size, config.jitter, config.repeat_threshold) == (14, (0.1, 2.0), None)
    assert (config.num_detections, config.score_threshold) == (100, 0.05)
    updates = config.optimizer.num_updates(117_266)
    assert config.optimizer.warmup * updates == pytest.approx(250, rel=0.01)
    rare = for_lvis(paper())
    assert (rare.optimizer.lr, rare.repeat_threshold, rare.layout) == (2e-4, 0.001, "lvis")
    assert (rare.num_detections, rare.score_threshold) == (300, 0.02)
    assert small().encoder.image_hw == (128, 128)
