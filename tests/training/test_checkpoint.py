import pytest
import torch
from torch import nn

from rmae import RunConfig, build_model, load
from rmae.config_json import config_to_json
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


def test_the_newest_are_kept_and_every_mth(tmp_path):
    for update in range(1, 11):
        (tmp_path / f"update_{update:09}").mkdir()
    prune_checkpoints(tmp_path, RunConfig(checkpoint_every=1, keep_newest=2, keep_every=4))
    assert sorted(int(path.name[-3:]) for path in tmp_path.iterdir()) == [4, 8, 9, 10]


def test_half_written_checkpoints_do_not_count_and_are_cleared(config, tmp_path):
    model, optimizer = trained(config, seed=1)
    checkpoints = tmp_path / "checkpoints"
    save_checkpoint(checkpoints, model, optimizer, RunProgress(3), {"model": config_to_json(config.model)})
    (checkpoints / ".update_000000006.partial").mkdir()
    assert read_progress(tmp_path).update == 3
    prune_checkpoints(checkpoints, config.run)
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
    for update in (1, 2, 3):
        (tmp_path / f"update_00000000{update}").mkdir()

    def killed(folder):
        raise KeyboardInterrupt(folder)

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune_checkpoints(tmp_path, RunConfig(keep_newest=2))
    assert {path.name for path in tmp_path.glob("update_*")} == {"update_000000002", "update_000000003"}
    assert len(list(tmp_path.iterdir())) == 3
    prune_checkpoints(tmp_path, RunConfig(keep_newest=2))
    assert len(list(tmp_path.iterdir())) == 2
