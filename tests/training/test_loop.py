"""The loop as a whole, on real pictures."""

import json
from pathlib import Path

import pytest
import torch

import rmae
from rmae.data.layouts import list_images
from rmae.data.order import BatchOrder
from rmae.data.samples import PretrainSamples, collate
from rmae.interruption import TrainingStopped
from rmae.models.weights import newest_checkpoint, read_scalars, read_tensors
from rmae.models.weights.records import read_metrics
from rmae.training import loop
from rmae.training.finite import NonFiniteError
from rmae.training.loop import check_trainable
from rmae.training.run_folder import resume_run
from rmae.training.step import PretrainStep
from stopped_runs import assert_identical, losses, stop_at_batch


def state(folder, update=None):
    """All tensors of a checkpoint: model and optimiser."""
    checkpoint = newest_checkpoint(folder.path) if update is None else folder.checkpoints / f"update_{update:09d}"
    return read_tensors(checkpoint)


def test_pixel_and_region_loss_fall(config, run, change):
    folder = run(change(config, optimizer={"updates": 60}, run={"log_every": 10, "checkpoint_every": 60}))
    lines = read_metrics(folder.metrics)
    assert [line["update"] for line in lines] == [10, 20, 30, 40, 50, 60]
    assert lines[-1]["pixel_loss"] < 0.8 * lines[0]["pixel_loss"]
    assert lines[-1]["region_loss"] < 0.8 * lines[0]["region_loss"]
    assert lines[-1]["epoch"] == 60 * 8 / 20


@pytest.mark.parametrize("stop_after", [1, 4])  # between log steps; in the second epoch
def test_stopping_and_resuming_is_bit_identical(config, run, monkeypatch, stop_after):
    whole = run(config, "whole")

    with monkeypatch.context() as patch:
        stop_at_batch(patch, loop, stop_after)
        with pytest.raises(TrainingStopped, match=f"stopped by SIGTERM after update {stop_after} of 6"):
            run(config, "stopped")
    stopped = type(whole)(whole.path.with_name("stopped"))
    assert read_scalars(newest_checkpoint(stopped.path))["update"] == stop_after
    run(config, resume=stopped)

    assert_identical(state(stopped), state(whole))
    assert losses(stopped) == losses(whole)


def test_resuming_from_an_older_checkpoint_after_a_kill_is_bit_identical(config, run, change):
    whole = run(change(config, run={"keep_newest": 9}), "whole")
    killed = run(change(config, run={"keep_newest": 9}), "killed")
    latest = state(killed)
    newest = newest_checkpoint(killed.path)
    newest.rename(newest.with_name(".update_000000006.partial"))  # as if it had been killed while writing
    assert newest_checkpoint(killed.path).name == "update_000000003"

    run(config, resume=killed)

    assert_identical(state(killed), latest)
    assert losses(killed) == losses(whole)


def test_workers_change_nothing(config, run, change):
    in_process = run(config, "in_process")
    with_workers = run(change(config, data={"num_workers": 2}), "with_workers")
    assert_identical(state(with_workers), state(in_process))


def test_another_seed_gives_other_weights(config, run, change):
    first, second = run(config, "first"), run(change(config, run={"seed": 1}), "second")
    name = "model.encoder.cls_token"
    assert not torch.equal(state(first)[name], state(second)[name])


def test_two_steps_of_four_are_one_of_eight(config, images):
    """In float64, where the order of summation does not show."""
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=0)

    def gradients(steps):
        order = BatchOrder(
            num_samples=len(samples), batch_size=8, steps_per_update=steps, rank=0, world_size=1, seed=0,
            first_update=0, num_updates=1,
        )  # fmt: skip
        model = rmae.build_model(config.model, generator=torch.Generator().manual_seed(0))
        step = PretrainStep(model, config.loss, pixel_mean=(0.0,) * 3, pixel_std=(1.0,) * 3).double()
        batches = [collate([samples[key] for key in keys]) for keys in order]
        assert [len(batch.images) for batch in batches] == [8 // steps] * steps
        for batch in batches:
            (step(*batch.tensors()).total / steps).backward()
        return {name: p.grad for name, p in model.named_parameters() if p.requires_grad}

    whole, accumulated = gradients(1), gradients(2)
    for name, gradient in whole.items():
        assert (accumulated[name] - gradient).abs().max() <= 1e-10 * gradient.abs().max(), name


def test_accumulating_trains_as_one_batch_does(config, run, change):
    whole = run(config, "whole")
    accumulated = run(change(config, optimizer={"accumulate": 2}), "accumulated")
    for one, two in zip(losses(whole), losses(accumulated), strict=True):
        assert one == pytest.approx(two, rel=1e-4)


def test_a_loss_that_is_not_finite_never_reaches_the_weights(config, run, change, monkeypatch):
    good = run(change(config, run={"checkpoint_every": 1, "keep_newest": 9}), "good")
    calls = []

    def broken(*arguments):
        calls.append(None)
        result = losses_of(*arguments)
        return result._replace(total=result.total * float("nan")) if len(calls) == 3 else result

    losses_of = PretrainStep.forward
    monkeypatch.setattr(PretrainStep, "forward", broken)
    sentence = r"the loss was not finite at update 3 \(pixel loss \d.*, region loss 0\.\d+, gradient norm nan\)"
    with pytest.raises(NonFiniteError, match=sentence):
        run(change(config, run={"log_every": 6, "checkpoint_every": 6}), "bad")  # three more updates before it is read

    bad = type(good)(good.path.with_name("bad"))
    assert read_scalars(newest_checkpoint(bad.path))["update"] == 2
    assert_identical(state(bad), state(good, 2))
    assert all(tensor.isfinite().all() for tensor in state(bad).values())


def test_a_run_whose_first_update_is_not_finite_goes_on(config, run, monkeypatch):
    good = run(config, "good")

    def broken(*arguments):
        result = losses_of(*arguments)
        return result._replace(total=result.total * float("nan"))

    losses_of = PretrainStep.forward
    with monkeypatch.context() as patch:
        patch.setattr(PretrainStep, "forward", broken)
        with pytest.raises(NonFiniteError, match=r"not finite at update 1 .* are in .*/update_000000000: go on with"):
            run(config, "bad")
    bad = type(good)(good.path.with_name("bad"))
    run(config, resume=bad)
    assert_identical(state(bad), state(good))
    assert losses(bad) == losses(good)


def test_clipping_limits_the_gradient_and_logs_its_norm_before(config, run, change):
    free = run(change(config, optimizer={"updates": 2}), "free")
    clipped = run(change(config, optimizer={"updates": 2, "clip_grad": 1e-3}), "clipped")
    # The first update's rate is 0, so both runs have the same gradient in the second.
    assert losses(free)[0]["grad_norm"] == pytest.approx(losses(clipped)[0]["grad_norm"])
    free_moment, clipped_moment = (state(f)["optimizer.exp_avg.encoder.norm.weight"] for f in (free, clipped))
    assert clipped_moment.norm() < 0.1 * free_moment.norm()


def test_corrupt_files_are_skipped_listed_and_counted(config, run, images, change):
    (images.root / images.names[3]).write_bytes(b"no picture")
    folder = run(change(config, data={"max_bad_share": 0.1}))
    entries = [json.loads(line) for line in folder.skipped_images.read_text().splitlines()]
    assert [entry["name"] for entry in entries] == [images.names[3]]
    assert read_metrics(folder.metrics)[-1]["skipped"] == 1


def test_too_many_corrupt_files_stop_the_run(config, run, images, change):
    for name in images.names[:4]:
        (images.root / name).write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"of 20 images cannot be used, more than the allowed share of 0\.1"):
        run(change(config, data={"max_bad_share": 0.1}))


@pytest.mark.parametrize("task", ["mae", "rae"])
def test_one_task_alone_trains(config, run, change, task):
    folder = run(change(config, model={"task": task}))
    line = read_metrics(folder.metrics)[-1]
    assert (line["pixel_loss"] is None) == (task == "rae")
    assert (line["region_loss"] is None) == (task == "mae")


def test_bf16_trains(config, run, change):
    folder = run(change(config, optimizer={"updates": 20}, run={"precision": "bf16", "log_every": 10}))
    lines = read_metrics(folder.metrics)
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert {tensor.dtype for tensor in state(folder).values()} == {torch.float32}


@pytest.mark.slow
def test_compiled_training_agrees(config, run, change):
    plain = run(config, "plain")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = run(change(config, run={"compile": True}), "compiled")
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1  # compiled, and whole
    for one, two in zip(losses(plain), losses(compiled), strict=True):
        assert one == pytest.approx(two, rel=1e-3)


def test_global_random_generators_are_left_alone(config, run):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    torch.rand(1)
    after_one = torch.get_rng_state()
    torch.set_rng_state(before)
    run(config)
    torch.rand(1)
    assert torch.equal(torch.get_rng_state(), after_one)


def test_a_run_that_cannot_start_is_refused(config, images, change, tmp_path):
    check_trainable(config, images, folder=tmp_path)
    with pytest.raises(ValueError, match=r"20 samples an epoch, fewer than one batch of 32: lower --batch-size"):
        check_trainable(change(config, optimizer={"batch_size": 32}), images, folder=tmp_path)
    with pytest.raises(ValueError, match=r"batch size 8 cannot be split evenly into 1 step.* on each of 3 process"):
        check_trainable(config, images, folder=tmp_path, world_size=3)


def test_a_run_cannot_be_made_shorter_than_it_is(config, images, change, run):
    folder = run(config)
    check_trainable(change(config, optimizer={"updates": 9}), images, folder=folder.path)
    with pytest.raises(ValueError, match="is at update 6 already; it cannot be made 4 long"):
        check_trainable(change(config, optimizer={"updates": 4}), images, folder=folder.path)


@pytest.mark.parametrize(
    ("part", "knobs"),
    [
        ("loss", {"background_weight": 0.1}),
        ("loss", {"region_loss": "l2"}),
        ("loss", {"pixel_weight": 0.5}),
        ("loss", {"region_weight": 0.5}),
        ("loss", {"normalize_pixels": False}),
        ("run", {"precision": "bf16"}),
        ("run", {"seed": 1}),
        ("data", {"crop_scale": (0.9, 1.0)}),
        ("data", {"crop_ratio": (0.5, 0.6)}),
        ("data", {"flip": 0.0}),
        ("data", {"region_area": (0.5, 1.0)}),
        ("data", {"pixel_mean": (0.0, 0.0, 0.0)}),
        ("optimizer", {"base_lr": 1e-3}),
        ("optimizer", {"betas": (0.5, 0.5)}),
        ("optimizer", {"weight_decay": 0.9}),
        ("optimizer", {"warmup": 0.5}),
        ("loss", {"balance_area": True}),
        ("model", {"region_mask_ratio": 0.5}),
        ("model", {"num_regions": 1}),
        ("model", {"masking": "region_visible"}),
        ("model", {"masking": "region_biased"}),
        ("model", {"shared_mask": False}),
        ("model", {"region_variant": "batch"}),
        ("model", {"region_variant": "channel"}),
        ("model", {"feeding": "none"}),
        ("model", {"feeding": "region_to_pixel"}),
        ("model", {"feeding": "both"}),
    ],
)
def test_every_knob_that_should_change_the_outcome_does(config, change, run, part, knobs):
    config = change(config, optimizer={"updates": 3}, run={"log_every": 1})
    plain, changed = run(config, "plain"), run(change(config, **{part: knobs}), "changed")
    assert losses(plain) != losses(changed)


def test_bf16_computes_coarsely(config, change, run):
    config = change(config, optimizer={"updates": 1}, run={"log_every": 1})
    fine, coarse = run(config, "fine"), run(change(config, run={"precision": "bf16"}), "coarse")
    difference = abs(losses(fine)[0]["loss"] - losses(coarse)[0]["loss"])
    assert 1e-6 < difference < 1e-1


def test_only_the_newest_checkpoints_are_kept(config, change, run):
    folder = run(change(config, run={"checkpoint_every": 1, "keep_newest": 2, "keep_every": 3}))
    assert sorted(int(path.name[-3:]) for path in folder.checkpoints.iterdir()) == [3, 5, 6]


def test_threads_are_set_where_the_run_says_so(config, change, run):
    before = torch.get_num_threads()
    try:
        run(change(config, optimizer={"updates": 1}, run={"num_threads": before + 1}))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_what_the_message_about_a_bad_number_advises_can_be_done(config, change, run):
    folder = run(config)
    for part, knobs in (("optimizer", {"base_lr": 1e-2, "clip_grad": 1.0}), ("run", {"precision": "float32"})):
        resume_run(folder.path, change(config, **{part: knobs}), None, list_images(folder.path.parent / "images"))


def test_the_loss_curve_is_the_committed_one(config, change, run):
    """A change that should not change the arithmetic shows the same curve."""
    folder = run(change(config, optimizer={"updates": 10}, run={"log_every": 1}))
    curve = [[line["pixel_loss"], line["region_loss"]] for line in losses(folder)]
    committed = json.loads(Path(__file__).with_name("loss_curve.json").read_text())
    for ours, theirs in zip(curve, committed, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)
