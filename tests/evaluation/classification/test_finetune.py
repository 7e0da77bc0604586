import json

import pytest
import torch

from rmae.evaluation.classification import finetune, judge
from rmae.evaluation.classification.data import list_classes
from rmae.interruption import TrainingStopped
from rmae.models.weights import newest_checkpoint, read_scalars, read_tensors
from rmae.models.weights.records import read_metrics
from rmae.training.finite import NonFiniteError
from stopped_runs import assert_identical, losses, stop_at_batch


def state(folder):
    return read_tensors(newest_checkpoint(folder.path))


def test_colours_are_learned(finetune_config, change, run):
    config = change(finetune_config, mixup=0.0, cutmix=0.0, optimizer={"updates": 40}, evaluate_every=20)
    scores, folder = run(finetune, config)
    assert scores == {"top1": 1.0}
    lines = read_metrics(folder.metrics)
    assert lines[-1]["loss"] < 0.85 * lines[0]["loss"]
    assert [line["update"] for line in lines if "top1" in line] == [20]


def test_a_run_keeps_its_weights_and_says_what_they_are_for(finetune_config, run, pictures):
    _, folder = run(finetune, finetune_config)
    checkpoint = newest_checkpoint(folder.path)
    kept = read_scalars(checkpoint)
    assert kept["classes"] == ["blue", "green", "red"]
    assert kept["image_hw"] == [24, 24]
    assert (kept["update"], kept["pooling"], kept["encoder"]) == (6, "average", "tiny")
    names = set(read_tensors(checkpoint, "model."))
    assert {"encoder.blocks.0.attn.qkv.weight", "norm.weight", "head.weight", "head.bias"} <= names
    assert not any(name.startswith("encoder.norm") for name in names)  # the patches' mean has a norm of its own
    assert len(read_metrics(folder.metrics)) == 3
    assert "Fine-tuning of tiny" in folder.report.read_text()


def test_all_changes_are_on(finetune_config):
    assert finetune_config.mixes
    assert finetune_config.mixup
    assert finetune_config.cutmix
    assert finetune_config.augment_magnitude
    assert finetune_config.erase
    assert finetune_config.encoder.drop_path


@pytest.mark.parametrize(("stop_after", "accumulate"), [(1, 2), (4, 1)])
def test_stopping_and_resuming_is_bit_identical(finetune_config, change, run, monkeypatch, stop_after, accumulate):
    config = change(finetune_config, optimizer={"accumulate": accumulate}, evaluate_every=2)
    scores, whole = run(finetune, config, "whole")

    with monkeypatch.context() as patch:
        stop_at_batch(patch, finetune, stop_after * accumulate)
        with pytest.raises(TrainingStopped, match=f"stopped by SIGTERM after update {stop_after} of 6"):
            run(finetune, config, "stopped")
    resumed_scores, stopped = run(finetune, config, "stopped")

    assert_identical(state(stopped), state(whole))
    assert losses(stopped) == losses(whole)
    assert resumed_scores == scores


def test_evaluating_a_finished_run_again_gives_the_same(finetune_config, run):
    scores, folder = run(finetune, finetune_config)
    before = state(folder)
    assert run(finetune, finetune_config)[0] == scores
    assert_identical(state(folder), before)


def test_evaluating_while_training_changes_no_weight(finetune_config, change, run):
    _, quiet = run(finetune, finetune_config, "quiet")
    _, asked = run(finetune, change(finetune_config, evaluate_every=1), "asked")
    assert_identical(state(asked), state(quiet))


def test_activations_can_be_computed_again(finetune_config, change, run):
    _, kept = run(finetune, finetune_config, "kept")
    _, again = run(finetune, change(finetune_config, run={"checkpoint_activations": True}), "again")
    assert_identical(state(again), state(kept))


def test_a_classifier_is_judged_as_it_will_be_used(finetune_config, change, run, monkeypatch):
    modes = []

    def classify(model, *arguments, **settings):
        modes.append(model.training)
        return judge_classify(model, *arguments, **settings)

    judge_classify = judge.classify
    monkeypatch.setattr(judge, "classify", classify)
    training = []
    forward = finetune.FinetuneStep.forward
    monkeypatch.setattr(
        finetune.FinetuneStep,
        "forward",
        lambda step, *batch: training.append(step.model.training) or forward(step, *batch),
    )
    run(finetune, change(finetune_config, evaluate_every=2))
    assert modes == [False, False, False]
    assert training == [True] * 6


def test_workers_change_nothing(finetune_config, change, run):
    config = change(finetune_config, evaluate_every=3)
    scores, here = run(finetune, config, "here")
    others_scores, there = run(finetune, change(config, reading={"num_workers": 2}), "there")
    assert_identical(state(there), state(here))
    assert others_scores == scores


@pytest.mark.slow
@pytest.mark.parametrize(
    "knobs",
    [
        {"pooling": "token"}, {"crop_scale": (0.9, 1.0)}, {"crop_ratio": (0.5, 0.6)}, {"flip": 0.0},
        {"augment_magnitude": 0}, {"augment_magnitude": 2}, {"augment_std": 0.0}, {"erase": 0.0}, {"mixup": 0.0},
        {"cutmix": 0.0}, {"label_smoothing": 0.0}, {"encoder": {"drop_path": 0.0}}, {"encoder": {"layer_decay": 1.0}},
        {"encoder": {"img_size": 32}}, {"optimizer": {"weight_decay": 0.9}}, {"optimizer": {"base_lr": 1e-3}},
        {"optimizer": {"betas": (0.5, 0.5)}}, {"optimizer": {"warmup": 0.5}}, {"optimizer": {"clip_grad": 1e-3}},
        {"run": {"seed": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_every_knob_changes_the_outcome(finetune_config, change, run, knobs):
    plain, changed = finetune_config, change(finetune_config, **knobs)
    weights = []
    for name, config in (("plain", plain), ("changed", changed)):
        _, folder = run(finetune, change(config, optimizer={"updates": 3}), name)
        weights.append(state(folder))
    assert any(
        name not in weights[1] or not torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items()
    )


def test_a_loss_that_is_not_finite_never_reaches_the_weights(finetune_config, change, run, monkeypatch):
    _, good = run(finetune, change(finetune_config, optimizer={"updates": 2}), "good")
    calls = []
    compute = finetune.FinetuneStep.forward

    def broken(*arguments):
        calls.append(None)
        losses = compute(*arguments)
        return losses._replace(total=losses.total * float("nan")) if len(calls) == 3 else losses

    monkeypatch.setattr(finetune.FinetuneStep, "forward", broken)
    with pytest.raises(NonFiniteError, match="the loss was not finite at update 3"):
        run(finetune, finetune_config, "bad")
    assert all(tensor.isfinite().all() for tensor in state(type(good)(good.path.with_name("bad"))).values())


def test_a_damaged_picture_is_replaced_and_listed_in_training(finetune_config, change, run, pictures):
    (pictures / "train" / "red" / "02.png").write_bytes(b"no picture")
    _, folder = run(finetune, change(finetune_config, optimizer={"updates": 5}))
    entries = [json.loads(line) for line in folder.skipped_images.read_text().splitlines()]
    assert [entry["name"] for entry in entries] == ["train/red/02.png"]
    assert "1 picture could not be read in training" in folder.report.read_text()


def test_a_damaged_picture_for_validation_is_refused_by_name(finetune_config, run, pictures):
    (pictures / "val" / "red" / "02.png").write_bytes(b"no picture")
    (pictures / "val" / "green" / "01.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"^the picture for validation val/green/01\.png and 1 more cannot be read \("):
        run(finetune, finetune_config)


def test_pictures_that_do_not_fill_a_batch_are_refused(finetune_config, change, pictures):
    config = change(finetune_config, optimizer={"batch_size": 32})
    with pytest.raises(ValueError, match=r"has 20 pictures to train on, fewer than one batch of 32; lower --batch-siz"):
        finetune.open_data(config, pictures)


def test_pictures_that_do_not_fit_the_encoder_are_refused(finetune_config, change, run):
    with pytest.raises(ValueError, match=r"pictures of 20 x 20 pixels cannot be cut into the encoder's patches of 8"):
        run(finetune, change(finetune_config, encoder={"img_size": 20}))


@pytest.mark.parametrize("precision", ["bf16", "float64"])
def test_other_arithmetic_learns_too(finetune_config, change, run, precision):
    config = change(finetune_config, optimizer={"updates": 3}, run={"precision": precision})
    scores, folder = run(finetune, config)
    assert 0 <= scores["top1"] <= 1
    wanted = torch.float64 if precision == "float64" else torch.float32
    assert {tensor.dtype for tensor in state(folder).values()} == {wanted}


def test_the_fingerprint_is_that_of_the_pictures(finetune_config, pictures):
    assert finetune.open_data(finetune_config, pictures).fingerprint() == list_classes(pictures).fingerprint()
