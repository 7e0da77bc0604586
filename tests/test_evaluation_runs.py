"""Whole evaluations from Python: seeds, folders, resuming, and what is written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

import rmae
from rmae.config import EncoderConfig, OptimizerConfig, ReadingConfig, RunConfig

ENCODER = EncoderConfig(img_size=32, drop_path=0.2, scratch_size="micro", scratch_patch_size=16)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shapes by class; not to be changed."""
    return rmae.make_class_scenes(tmp_path_factory.mktemp("data") / "shapes", num_train=12, num_val=6, size_hw=(40, 40))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes in COCO's layout; not to be changed."""
    return rmae.make_scenes(tmp_path_factory.mktemp("data") / "scenes", num_train=6, num_val=3, size_hw=(48, 48))


def short(task: str):
    """A task that is done in a moment."""
    config = rmae.evaluation_preset(task, "small")
    config = replace(
        config,
        encoder=replace(ENCODER, img_size=64) if task == "detect" else ENCODER,
        reading=ReadingConfig(num_workers=0),
        run=RunConfig(accelerator="cpu", num_threads=1, log_every=1, checkpoint_every=1, keep_newest=9),
    )
    if task == "knn":
        return config
    optimizer = OptimizerConfig(epochs=None, updates=3, batch_size=2, base_lr=1e-2, warmup=0.0, clip_grad=1.0)
    return replace(config, optimizer=optimizer)


@pytest.mark.parametrize(
    ("task", "scores"),
    [
        ("knn", {"top1_12"}),
        ("linear", {"top1"}),
        ("finetune", {"top1"}),
        ("segment", {"miou", "pixel_accuracy", "mean_accuracy"}),
        ("detect", {"box_ap", "box_ap50", "mask_ap"}),
    ],
)
def test_every_task_leaves_scores_and_a_page(task, scores, pictures, scenes, tmp_path):
    data = scenes if task in ("segment", "detect") else pictures
    found = rmae.evaluate(short(task), "scratch", data=data, out=tmp_path / "out")
    assert (found.task, found.encoder, found.seeds) == (task, "scratch", (0,))
    assert scores <= set(found.scores)
    assert all(
        score.std is None and (0 <= score.mean <= 1 or score.mean != score.mean) for score in found.scores.values()
    )
    saved = json.loads((found.folder / "results.json").read_text())
    assert saved["task"] == task
    assert list(saved["scores"]) == list(found.scores)
    page = (found.folder / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("data:image/") >= 2


def test_several_seeds_have_a_mean_and_a_folder_each(pictures, tmp_path):
    found = rmae.evaluate(short("finetune"), "scratch", data=pictures, out=tmp_path / "out", seeds=2)
    of_seeds = [json.loads((tmp_path / "out" / f"seed_{seed}" / "results.json").read_text()) for seed in (0, 1)]
    top1 = tuple(saved["scores"]["top1"]["mean"] for saved in of_seeds)
    assert found.scores["top1"].values == top1
    assert found.scores["top1"].mean == pytest.approx(sum(top1) / 2)
    assert found.scores["top1"].std is not None
    assert [saved["config"]["run"]["seed"] for saved in of_seeds] == [0, 1]
    assert "Scores by seed" in (tmp_path / "out" / "report.html").read_text()
    ours, theirs = (newest(tmp_path / "out" / f"seed_{seed}") for seed in (0, 1))
    assert not any(ours[name].equal(theirs[name]) for name in ours if name.endswith("attn.qkv.weight"))


def newest(folder: Path) -> dict:
    return load_file(max((folder / "checkpoints").iterdir()) / "model.safetensors")


@pytest.mark.parametrize("task", ["linear", "finetune", "segment", pytest.param("detect", marks=pytest.mark.slow)])
def test_what_was_cut_off_goes_on_to_the_same_weights(task, pictures, scenes, tmp_path):
    data = scenes if task in ("segment", "detect") else pictures
    rmae.evaluate(short(task), "scratch", data=data, out=tmp_path / "whole")
    cut = Path(shutil.copytree(tmp_path / "whole", tmp_path / "cut"))
    (cut / "results.json").unlink()
    for checkpoint in sorted((cut / "checkpoints").iterdir())[1:]:
        shutil.rmtree(checkpoint)
    again = rmae.evaluate(short(task), "scratch", data=data, out=cut, resume=True)
    expected = json.loads((tmp_path / "whole" / "results.json").read_text())["scores"]
    assert {
        name: pytest.approx(score["mean"], nan_ok=True) for name, score in expected.items() if score["mean"] is not None
    } == {name: score.mean for name, score in again.scores.items() if score.mean == score.mean}
    ours, theirs = newest(cut), newest(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    lines = (cut / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["update"] for line in lines] == [1, 2, 3]


def test_seeds_that_are_done_are_not_done_again(pictures, tmp_path):
    config = short("finetune")
    rmae.evaluate(config, "scratch", data=pictures, out=tmp_path / "out", seeds=1)
    before = (tmp_path / "out" / "report.html").stat().st_mtime_ns
    again = rmae.evaluate(config, "scratch", data=pictures, out=tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "report.html").stat().st_mtime_ns == before
    assert again.scores["top1"].values


def test_what_is_through_goes_on_where_it_is_to_be_longer(pictures, tmp_path):
    config = short("finetune")
    rmae.evaluate(config, "scratch", data=pictures, out=tmp_path / "out")
    longer = replace(config, optimizer=replace(config.optimizer, updates=4))
    rmae.evaluate(longer, "scratch", data=pictures, out=tmp_path / "out", resume=True)
    assert max((tmp_path / "out" / "checkpoints").iterdir()).name == "update_000000004"
    assert json.loads((tmp_path / "out" / "results.json").read_text())["config"]["optimizer"]["updates"] == 4
    with pytest.raises(ValueError, match="is at update 4 already; it cannot be made 3 long"):
        rmae.evaluate(config, "scratch", data=pictures, out=tmp_path / "out", resume=True)


def test_a_run_is_an_encoder(pictures, photo_folder, tiny_config, tmp_path):
    run = rmae.pretrain(tiny_config, data=photo_folder, out=tmp_path / "run")
    found = rmae.evaluate(short("knn"), run, data=pictures, out=tmp_path / "out")
    assert found.encoder == str(run)
    assert str(run) in (found.folder / "config.json").read_text()


def test_an_encoder_that_has_changed_since_is_not_gone_on_with(pictures, photo_folder, tiny_config, tmp_path):
    run = rmae.pretrain(tiny_config, data=photo_folder, out=tmp_path / "run")
    [*_, checkpoint] = sorted((run / "checkpoints").iterdir())
    config, out = short("finetune"), tmp_path / "out"
    scores = rmae.evaluate(config, run, data=pictures, out=out).scores
    longer = replace(tiny_config, optimizer=replace(tiny_config.optimizer, updates=6))
    rmae.pretrain(longer, out=run, resume=True)
    with pytest.raises(ValueError, match=rf"{run} has other weights than when the evaluation in {out} began"):
        rmae.evaluate(config, run, data=pictures, out=out, resume=True)
    assert rmae.evaluate(config, checkpoint, data=pictures, out=out, resume=True).scores == scores


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"seeds": 0}, "seeds is 0; it must be at least 1"),
        ({"resume": True, "out": None}, r"name its folder \(--out\)"),
        ({"data": "nowhere"}, "the data folder nowhere does not exist"),
        ({"encoder": "no/such/encoder"}, "there is nothing at no/such/encoder"),
    ],
)
def test_what_cannot_be_is_refused(changed, sentence, pictures, tmp_path):
    call = {"encoder": "scratch", "data": pictures, "out": tmp_path / "out"} | changed
    with pytest.raises(ValueError, match=sentence):
        rmae.evaluate(short("knn"), call.pop("encoder"), **call)


def test_a_folder_in_use_is_not_taken(pictures, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        rmae.evaluate(short("knn"), "scratch", data=pictures, out=tmp_path)


def test_presets_have_names():
    for task in ("knn", "linear", "finetune", "segment", "detect"):
        small, paper = (rmae.evaluation_preset(task, size) for size in ("small", "paper"))
        assert type(small) is type(paper)
        assert small.encoder.image_hw < paper.encoder.image_hw
    small, paper = (rmae.evaluation_preset("localise", size) for size in ("small", "paper"))
    assert small.encoder.image_hw < paper.encoder.image_hw
    small, paper = (rmae.evaluation_preset("interactive", size) for size in ("small", "paper"))
    assert small.max_objects < paper.max_objects
    names = "there are knn, linear, finetune, segment, detect, localise, interactive, each small, paper"
    with pytest.raises(ValueError, match=names):
        rmae.evaluation_preset("classify", "small")
