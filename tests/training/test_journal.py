"""What follows an update: lines of metrics, checkpoints, and stopping."""

import json
import math
import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from rmae.config import RunConfig
from rmae.data.worker_pool import WorkerDiedError
from rmae.evaluation.classification.heads import FeatureNorm
from rmae.interruption import Stopped, TrainingStopped, stopped_at_once
from rmae.training.checkpoint import RunProgress, read_progress
from rmae.training.finite import NonFiniteError
from rmae.training.journal import Journal
from rmae.training.learner import Learner
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder


def open_learner(path: Path, optimizer=torch.optim.AdamW, *, statistics: bool = False, **run) -> Learner:
    """A linear layer, perhaps with running statistics of what it is given, trained as far as the folder says."""
    path.mkdir(exist_ok=True)
    config = RunConfig(accelerator="cpu", **run)
    layer = nn.Linear(2, 1)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    with open_ranks(config) as ranks:
        model = nn.Sequential(FeatureNorm(2, ranks=ranks), layer) if statistics else layer
        return Learner(
            model,
            model=model,
            optimizer=optimizer(model.parameters(), lr=0.1),
            loss_names=("loss",),
            folder=RunFolder(path),
            run=config,
            ranks=ranks,
            kept={},
        )


def open_journal(learner: Learner, num_updates: int) -> Journal:
    return Journal(learner, num_updates=num_updates, batch_size=2, num_samples=4, num_images=4, max_bad_share=0.0)


def update(learner: Learner, number: int, *, factor: float = 1.0) -> Tensor:
    """Make an update; returns its loss and the gradient's norm."""
    values = learner.zeros()
    loss = factor * learner.step(torch.ones(1, 2)).sum()
    learner.backward(loss)
    values[0] += loss.detach()
    learner.apply(number, values, None)
    return values


def train(learner: Learner, num_updates: int, *, factors=(1.0, 1.0, 1.0), stop_after: int = 0) -> None:
    """Train from the start; after an update SIGTERM comes."""
    with open_journal(learner, num_updates) as journal:
        for number, factor in enumerate(factors):
            values = update(learner, number, factor=factor)
            if number + 1 == stop_after:
                os.kill(os.getpid(), signal.SIGTERM)
            journal.close_update(number + 1, values, 0.1)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_updates_are_logged_and_the_last_one_is_saved(tmp_path):
    train(open_learner(tmp_path, log_every=2), 3)
    assert [(line["update"], line["epoch"]) for line in lines(tmp_path)] == [(2, 1.0), (3, 1.5)]
    assert read_progress(tmp_path) == RunProgress(3, (0.0, 0.0), 0)


def test_scores_that_are_not_defined_are_null(tmp_path):
    learner = open_learner(tmp_path)
    with open_journal(learner, 3) as journal:
        journal.add_scores(2, {"miou": 0.25, "ap": math.nan})
    assert lines(tmp_path) == [{"update": 2, "epoch": 1.0, "miou": 0.25, "ap": None}]


@pytest.mark.parametrize("stopped_after", [1, 3])  # 3 is the last: what comes after training may take long
def test_a_signal_stops_after_the_update_with_the_state_saved(tmp_path, stopped_after):
    learner = open_learner(tmp_path, log_every=2)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingStopped, match=f"stopped by SIGTERM after update {stopped_after} of 3"):
        train(learner, 3, stop_after=stopped_after)
    assert read_progress(tmp_path).update == stopped_after
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("optimizer", [partial(torch.optim.AdamW, fused=True), torch.optim.AdamW, torch.optim.SGD])
def test_what_is_not_finite_never_reaches_the_weights(tmp_path, optimizer):
    learner = open_learner(tmp_path / "bad", optimizer, log_every=3)
    with pytest.raises(NonFiniteError, match="the loss was not finite at update 2"):
        train(learner, 6, factors=(1.0, math.nan, 1.0))
    good = open_learner(tmp_path / "good", optimizer)
    train(good, 6, factors=(1.0,))
    assert read_progress(tmp_path / "bad").update == 1
    assert all(torch.equal(*both) for both in zip(learner.step.parameters(), good.step.parameters(), strict=True))


def test_signals_are_as_before_where_the_log_cannot_be_opened(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    learner = open_learner(tmp_path)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(IsADirectoryError), open_journal(learner, 3):
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_run_cannot_be_made_shorter_than_it_is(tmp_path):
    learner = open_learner(tmp_path)
    learner.save(RunProgress(5))
    with pytest.raises(ValueError, match="is at update 5 already; it cannot be made 4 long"):
        open_journal(open_learner(tmp_path), 4)


def test_a_checkpoint_without_room_is_one_sentence_and_leaves_the_last_one(tmp_path, limit_files):
    learner = open_learner(tmp_path, log_every=3, checkpoint_every=2)
    with open_journal(learner, 9) as journal:
        journal.close_update(2, update(learner, 1), 0.1)
        values = update(learner, 2)
        with limit_files(100), pytest.raises(OSError, match="the checkpoint of update 4 cannot be written") as raised:
            journal.close_update(4, values, 0.1)
    [sentence] = str(raised.value).splitlines()
    assert "([Errno 27] File too large: " in sentence
    last = tmp_path / "checkpoints" / "update_000000002"
    assert sentence.endswith(f"; the last one, {last}, is whole: make room on the disk, then go on with --resume")
    assert list((tmp_path / "checkpoints").iterdir()) == [last]
    assert open_learner(tmp_path).first_update == 2


def test_the_first_checkpoint_without_room_says_that_there_is_none(tmp_path, limit_files):
    learner = open_learner(tmp_path)
    place = re.escape(str(tmp_path / "checkpoints"))
    sentence = rf"update 5 cannot be written in {place} \(.*\); there is none yet: make room"
    with limit_files(100), pytest.raises(OSError, match=sentence):
        learner.save(RunProgress(5))


def test_where_no_room_is_missing_none_is_to_be_made(tmp_path):
    learner = open_learner(tmp_path)
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(OSError, match=r"there is none yet: see that it can be written, then go on with --resume$"):
        learner.save(RunProgress(5))


def fail_after_one_update(learner: Learner, error: Exception) -> None:
    with open_journal(learner, 9) as journal:
        journal.close_update(1, update(learner, 0), 0.1)
        raise error


def test_what_was_trained_is_saved_where_a_worker_dies(tmp_path):
    learner = open_learner(tmp_path)
    with pytest.raises(WorkerDiedError):
        fail_after_one_update(learner, WorkerDiedError())
    assert read_progress(tmp_path).update == 1
    resumed = open_learner(tmp_path)
    assert all(torch.equal(*both) for both in zip(resumed.step.parameters(), learner.step.parameters(), strict=True))
    assert read_progress(tmp_path).window_updates == 1


@pytest.mark.parametrize("statistics", [False, True])
def test_a_part_of_the_next_update_is_not_saved(tmp_path, statistics):
    """Its steps move running statistics, and will do so once more when the run goes on."""
    with pytest.raises(WorkerDiedError):
        fail_amid_the_second_update(open_learner(tmp_path / "died", statistics=statistics))
    assert read_progress(tmp_path / "died").update == 1
    train(open_learner(tmp_path / "whole", statistics=statistics), 1, factors=(1.0,))
    assert saved(tmp_path / "died", 1) == saved(tmp_path / "whole", 1)


def fail_amid_the_second_update(learner: Learner) -> None:
    with open_journal(learner, 9) as journal:
        journal.close_update(1, update(learner, 0), 0.1)
        learner.backward(learner.step(torch.ones(1, 2)).sum())
        raise WorkerDiedError


def saved(path: Path, num_updates: int) -> dict[str, list]:
    """The tensors of a checkpoint."""
    file = path / "checkpoints" / f"update_{num_updates:09}" / "model.safetensors"
    return {name: tensor.tolist() for name, tensor in load_file(file).items()}


@pytest.mark.parametrize("optimizer", [partial(torch.optim.AdamW, fused=True), torch.optim.SGD])
def test_updates_after_a_bad_one_do_not_move_running_statistics(tmp_path, optimizer):
    """Nor does it itself: they are noticed together, at the next log step."""
    learner = open_learner(tmp_path / "bad", optimizer, statistics=True, log_every=3)
    with pytest.raises(NonFiniteError, match="the loss was not finite at update 2"):
        train(learner, 6, factors=(1.0, math.inf, 1.0))
    train(open_learner(tmp_path / "good", optimizer, statistics=True), 1, factors=(1.0,))
    assert saved(tmp_path / "bad", 1) == saved(tmp_path / "good", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_last_save_ends_what_follows(tmp_path, monkeypatch, number):
    learner = open_learner(tmp_path)
    save = learner.save

    def save_while_a_signal_comes(progress: RunProgress) -> Path:
        os.kill(os.getpid(), number)
        return save(progress)

    monkeypatch.setattr(learner, "save", save_while_a_signal_comes)
    with pytest.raises(Stopped, match=f"stopped by {number.name}; what was saved before is"), stopped_at_once():
        train(learner, 3)
    assert read_progress(tmp_path).update == 3


def evaluate_in_the_middle_of_an_update(learner: Learner) -> None:
    with open_journal(learner, 9) as journal:
        journal.close_update(1, update(learner, 0), 0.1)
        update(learner, 1)
        with journal.pause():
            raise WorkerDiedError


def test_nothing_is_saved_where_a_worker_dies_before_an_update_is_closed(tmp_path):
    """The weights are those after it, and the count is that before it."""
    with pytest.raises(WorkerDiedError):
        evaluate_in_the_middle_of_an_update(open_learner(tmp_path))
    assert read_progress(tmp_path).update == 0


def test_other_errors_save_nothing(tmp_path):
    learner = open_learner(tmp_path)
    with pytest.raises(RuntimeError):
        fail_after_one_update(learner, RuntimeError())
    assert read_progress(tmp_path).update == 0
