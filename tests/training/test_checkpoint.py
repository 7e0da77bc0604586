from pathlib import Path

import pytest
import torch
from torch import nn

from rmae import RunConfig, build_model, load
from rmae.config_json import config_to_json
from rmae.models.weights import newest_checkpoint
from rmae.training.checkpoint import (
    RunProgress,
    prune_checkpoints,
    read_progress,
    restore_checkpoint,
    save_checkpoint,
)
from rmae.training.optimizer import build_optimizer


def trained(config, seed):
    model = build_model(config.model, generator=torch.Generator().manual_seed(seed))
    optimizer = build_optimizer(model, config.optimizer)
    for _ in range(3):
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.rand(parameter.shape, generator=torch.Generator().manual_seed(seed))
        optimizer.step()
    return model, optimizer


def test_model_optimiser_and_progress_come_back(config, tmp_path):
    model, optimizer = trained(config, seed=1)
    progress = RunProgress(3, (0.1, 0.2, 0.3, 0.4), 2)
    save_checkpoint(tmp_path / "checkpoints", model, optimizer, progress, {"model": config_to_json(config.model)})

    other_model, other_optimizer = trained(config, seed=2)
    assert read_progress(tmp_path) == progress
    restore_checkpoint(tmp_path, other_model, other_optimizer, progress)

    for (name, ours), theirs in zip(model.named_parameters(), other_model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
        assert optimizer.state[ours].keys() == other_optimizer.state[theirs].keys()
        for key, value in optimizer.state[ours].items():
            assert torch.equal(value, other_optimizer.state[theirs][key]), (name, key)


def test_a_run_goes_on_from_the_checkpoint_that_was_chosen(config, tmp_path):
    """The first of several processes chooses; what another one finds to be the newest does not matter."""
    models = {}
    for update in (3, 5):
        models[update], optimizer = trained(config, seed=update)
        save_checkpoint(
            tmp_path / "checkpoints",
            models[update],
            optimizer,
            RunProgress(update),
            {"model": config_to_json(config.model)},
        )
    other_model, other_optimizer = trained(config, seed=2)
    restore_checkpoint(tmp_path, other_model, other_optimizer, RunProgress(3))
    assert torch.equal(other_model.encoder.cls_token, models[3].encoder.cls_token)


def test_a_checkpoint_is_a_model(config, tmp_path):
    model, optimizer = trained(config, seed=1)
    checkpoint = save_checkpoint(
        tmp_path / "checkpoints", model, optimizer, RunProgress(3), {"model": config_to_json(config.model)}
    )
    for source in (checkpoint, tmp_path):
        loaded = load(source)
        assert torch.equal(loaded.encoder.cls_token, model.encoder.cls_token)
        assert loaded.config == config.model


def make_checkpoints(run: Path, *names: str) -> Path:
    """Empty ones; returns their folder."""
    for name in names:
        (run / "checkpoints" / name).mkdir(parents=True)
    return run / "checkpoints"


def test_the_newest_are_kept_and_every_mth(tmp_path):
    folder = make_checkpoints(tmp_path, *(f"update_{update:09}" for update in range(1, 11)))
    prune_checkpoints(tmp_path, RunConfig(checkpoint_every=1, keep_newest=2, keep_every=4))
    assert sorted(int(path.name[-3:]) for path in folder.iterdir()) == [4, 8, 9, 10]


def test_what_somebody_else_put_beside_them_is_no_checkpoint(tmp_path):
    others = {"update_000000002_best", "update_latest", "update_best"}
    folder = make_checkpoints(tmp_path, "update_000000001", "update_000000002", "update_000000003", *others)
    (folder / "update_000000009").touch()
    assert newest_checkpoint(tmp_path) == folder / "update_000000003"
    prune_checkpoints(tmp_path, RunConfig(keep_newest=2))
    assert {path.name for path in folder.iterdir()} == others | {
        "update_000000002", "update_000000003", "update_000000009",
    }  # fmt: skip


def test_what_cannot_be_deleted_is_tried_again(tmp_path, monkeypatch):
    folder = make_checkpoints(tmp_path, "update_000000001", "update_000000002")
    (folder / "update_000000001" / "model.safetensors").touch()
    with monkeypatch.context() as patched:
        patched.setattr("os.unlink", refuse)  # as for a file that somebody protects, or reads over NFS
        prune_checkpoints(tmp_path, RunConfig(keep_newest=1))
    assert {path.name for path in folder.iterdir()} == {".update_000000001.old", "update_000000002"}
    prune_checkpoints(tmp_path, RunConfig(keep_newest=1))
    assert [path.name for path in folder.iterdir()] == ["update_000000002"]


def refuse(*args: object, **kwargs: object) -> None:
    raise PermissionError("Operation not permitted")


def test_half_written_checkpoints_do_not_count_and_are_cleared(config, tmp_path):
    model, optimizer = trained(config, seed=1)
    checkpoints = tmp_path / "checkpoints"
    save_checkpoint(checkpoints, model, optimizer, RunProgress(3), {"model": config_to_json(config.model)})
    (checkpoints / ".update_000000006.partial").mkdir()
    assert read_progress(tmp_path).update == 3
    prune_checkpoints(tmp_path, config.run)
    assert [path.name for path in checkpoints.iterdir()] == ["update_000000003"]


def test_without_a_checkpoint_a_run_begins_at_the_beginning(config, tmp_path):
    assert read_progress(tmp_path) == RunProgress(0, (), 0)
    model, optimizer = trained(config, seed=1)
    before = model.encoder.cls_token.clone()
    restore_checkpoint(tmp_path, model, optimizer, RunProgress())
    assert torch.equal(model.encoder.cls_token, before)


def test_a_checkpoint_of_another_model_is_refused_in_a_sentence(tmp_path):
    old, new = nn.Linear(2, 3), nn.Linear(2, 4)
    save_checkpoint(tmp_path / "checkpoints", old, torch.optim.AdamW(old.parameters()), RunProgress(3), {})
    with pytest.raises(ValueError, match=r"update_000000003 is of another model than the one .*size mismatch") as said:
        restore_checkpoint(tmp_path, new, torch.optim.AdamW(new.parameters()), RunProgress(3))
    assert "\n" not in str(said.value)


def test_deleting_an_old_checkpoint_never_leaves_half_of_it_under_its_name(tmp_path, monkeypatch):
    folder = make_checkpoints(tmp_path, "update_000000001", "update_000000002", "update_000000003")

    def killed(folder):
        raise KeyboardInterrupt(folder)

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune_checkpoints(tmp_path, RunConfig(keep_newest=2))
    assert {path.name for path in folder.glob("update_*")} == {"update_000000002", "update_000000003"}
    assert len(list(folder.iterdir())) == 3
    prune_checkpoints(tmp_path, RunConfig(keep_newest=2))
    assert len(list(folder.iterdir())) == 2


def save_empty(run, *updates):
    """Checkpoints of a small layer; returns their folders."""
    layer = nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(layer.parameters())
    return [save_checkpoint(run / "checkpoints", layer, optimizer, RunProgress(update), {}) for update in updates]


def test_a_checkpoint_that_a_kill_left_moved_away_counts(tmp_path):
    *_, newest = save_empty(tmp_path, 3, 5)
    newest.rename(newest.with_name(f".{newest.name}.replaced"))
    assert read_progress(tmp_path).update == 5
    assert newest.is_dir()


def test_pruning_leaves_a_checkpoint_that_a_kill_left_moved_away(tmp_path):
    [checkpoint] = save_empty(tmp_path, 5)
    checkpoint.rename(checkpoint.with_name(f".{checkpoint.name}.replaced"))
    prune_checkpoints(tmp_path, RunConfig())
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


@pytest.mark.parametrize(
    ("updates", "advice"),
    [((3, 5), "go on from the one before, update_000000003"), ((5,), "begin the run anew")],
)
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_of_a_damaged_checkpoint_it_is_said_what_to_do(tmp_path, updates, advice, file):
    newest = save_empty(tmp_path, *updates)[-1]
    (newest / file).write_bytes(b"{}")
    layer = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=f"{newest}.*; if the checkpoint is damaged, delete it to {advice}$"):
        restore_checkpoint(tmp_path, layer, torch.optim.AdamW(layer.parameters()), read_progress(tmp_path))


def test_a_checkpoint_that_does_not_say_how_far_it_is_is_refused(tmp_path):
    [checkpoint] = save_empty(tmp_path, 5)
    (checkpoint / "config.json").write_text('{"version": 1, "update": -1, "window_sums": [], "window_updates": 0}')
    with pytest.raises(ValueError, match=r"does not say how far its run is; if .* damaged, delete it to begin .* anew"):
        read_progress(tmp_path)
