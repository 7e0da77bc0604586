from dataclasses import replace

import pytest
import torch
from torch import nn

from rmae.evaluation.classification import linear
from rmae.interruption import TrainingStopped
from rmae.models.weights import newest_checkpoint, read_scalars, read_tensors
from rmae.models.weights.records import read_metrics
from rmae.training.finite import NonFiniteError
from rmae.training.run_folder import RunFolder
from stopped_runs import assert_identical, losses, stop_at_batch


def state(folder):
    return read_tensors(newest_checkpoint(folder.path))


@pytest.fixture
def adamw_config(linear_config):
    return replace(linear_config, optimizer_name="adamw", optimizer=replace(linear_config.optimizer, base_lr=1.0))


@pytest.mark.parametrize("pooling", ["token", "average"])
@pytest.mark.parametrize(
    ("optimizer_name", "base_lr", "updates", "falls_to", "least"),
    [("adamw", 1.0, 40, 0.5, 1.0), ("lars", 30.0, 150, 0.9, 0.8)],  # lars is slow where batches are small
)
def test_colours_are_told_apart(linear_config, change, run, pooling, optimizer_name, base_lr, updates, falls_to, least):
    config = change(
        linear_config,
        pooling=pooling,
        optimizer_name=optimizer_name,
        optimizer={"updates": updates, "base_lr": base_lr},
        run={"log_every": 10, "checkpoint_every": 200},
    )
    scores, folder = run(linear, config)
    assert scores["top1"] >= least
    lines = read_metrics(folder.metrics)
    assert lines[-1]["loss"] < falls_to * lines[0]["loss"]
    assert "Linear probe of tiny" in folder.report.read_text()


def test_the_encoder_stays_as_it_was(linear_config, run, encoder):
    tested, untouched = encoder(), encoder()
    run(linear, linear_config, tested=tested)
    for name, weight in untouched.vit.named_parameters():
        if name != "pos_embed":  # of smaller pictures
            assert torch.equal(tested.vit.get_parameter(name), weight), name
    assert not tested.vit.training
    assert not any(parameter.requires_grad for parameter in tested.vit.parameters())


def test_a_checkpoint_is_the_probe(linear_config, run):
    _, folder = run(linear, linear_config)
    tensors = read_tensors(newest_checkpoint(folder.path))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert shapes == {
        "model.0.running_mean": (32,),
        "model.0.running_var": (32,),
        "model.1.weight": (3, 32),
        "model.1.bias": (3,),
        "optimizer.momentum_buffer.1.weight": (3, 32),
        "optimizer.momentum_buffer.1.bias": (3,),
    }
    assert read_scalars(newest_checkpoint(folder.path))["pooling"] == "token"


@pytest.mark.parametrize("optimizer_name", ["lars", "adamw"])
def test_stopping_and_resuming_is_bit_identical(linear_config, change, run, monkeypatch, optimizer_name):
    config = change(linear_config, optimizer_name=optimizer_name, optimizer={"accumulate": 2})
    scores, whole = run(linear, config, "whole")
    with monkeypatch.context() as patch:
        stop_at_batch(patch, linear, 6)
        with pytest.raises(TrainingStopped, match="stopped by SIGTERM after update 3 of 6"):
            run(linear, config, "stopped")
    resumed_scores, stopped = run(linear, config, "stopped")
    assert_identical(state(stopped), state(whole))
    assert losses(stopped) == losses(whole)
    assert resumed_scores == scores


def test_lars_scales_matrices_but_not_biases():
    probe = nn.Linear(4, 2)
    config = linear.LinearConfig(momentum=0.0)
    optimizer = linear._build_optimizer(probe, config)
    before = {name: weight.detach().clone() for name, weight in probe.named_parameters()}
    probe.weight.grad = torch.full((2, 4), 7.0)
    probe.bias.grad = torch.full((2,), 7.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    optimizer.step()
    moved = {name: before[name] - weight.detach() for name, weight in probe.named_parameters()}
    expected = 0.5 * 1e-3 * before["weight"].norm() / 8**0.5  # whatever the length of the gradient
    torch.testing.assert_close(moved["weight"], torch.full((2, 4), expected.item()))
    torch.testing.assert_close(moved["bias"], torch.full((2,), 3.5))


def test_a_loss_that_is_not_finite_never_reaches_the_weights(linear_config, change, run, monkeypatch):
    _, good = run(linear, change(linear_config, run={"checkpoint_every": 1, "keep_newest": 9}), "good")
    calls = []
    compute = linear.LinearStep.forward

    def broken(*arguments):
        calls.append(None)
        losses = compute(*arguments)
        return losses._replace(total=losses.total * float("nan")) if len(calls) == 3 else losses

    monkeypatch.setattr(linear.LinearStep, "forward", broken)
    with pytest.raises(NonFiniteError, match="the loss was not finite at update 3"):
        run(linear, change(linear_config, run={"log_every": 6, "checkpoint_every": 6}), "bad")
    bad = state(RunFolder(good.path.with_name("bad")))
    third = read_tensors(good.checkpoints / "update_000000002")
    for name in ("model.1.weight", "model.1.bias", "optimizer.momentum_buffer.1.weight"):
        assert torch.equal(bad[name], third[name])


def test_evaluating_while_training_changes_no_weight(linear_config, change, run):
    _, quiet = run(linear, linear_config, "quiet")
    _, asked = run(linear, change(linear_config, evaluate_every=1), "asked")
    assert_identical(state(asked), state(quiet))
    assert sum("top1" in line for line in read_metrics(asked.metrics)) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "knobs",
    [
        {"pooling": "average"}, {"optimizer_name": "adamw"}, {"momentum": 0.1}, {"crop_scale": (0.9, 1.0)},
        {"crop_ratio": (0.5, 0.6)}, {"flip": 0.0}, {"optimizer": {"weight_decay": 0.9}},
        {"optimizer": {"base_lr": 1e-3}}, {"optimizer": {"warmup": 0.5}}, {"optimizer": {"clip_grad": 1e-3}},
        {"run": {"seed": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_every_knob_changes_the_outcome(linear_config, change, run, knobs):
    weights = []
    for name, config in (("plain", linear_config), ("changed", change(linear_config, **knobs))):
        weights.append(state(run(linear, config, name)[1])["model.1.weight"])
    assert not torch.equal(*weights)


def test_pictures_that_do_not_fill_a_batch_are_refused(linear_config, change, pictures):
    with pytest.raises(ValueError, match=r"has 20 pictures to train on, fewer than one batch of 32"):
        linear.open_data(change(linear_config, optimizer={"batch_size": 32}), pictures)
