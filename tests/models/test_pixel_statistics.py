"""What images are normalised by travels with the weights."""

import json

import pytest
import torch
from safetensors.torch import load_file

import rmae
from rmae.config_json import config_to_json
from rmae.models.weights import write_folder

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def statistics(model):
    return model.pixel_mean, model.pixel_std


def write_checkpoint(model, folder, **scalars):
    """A checkpoint as training writes it."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    write_folder(folder, tensors, {"format": "checkpoint", "model": config_to_json(model.config), **scalars})


def write_run(model, run, **data):
    config = {"model": config_to_json(model.config), "data": data}
    run.mkdir(exist_ok=True)
    (run / "config.json").write_text(json.dumps({"format": "run", "version": 1, "config": config}))


def test_a_new_model_knows_none():
    model = rmae.build_model(rmae.ModelConfig(size="micro", img_size=64))
    assert statistics(model) == (None, None)
    assert not any("pixel_mean" in name for name in model.state_dict())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_model_says_it(make_model, tmp_path, channels):
    model = make_model(channels=channels)
    model.save_pretrained(tmp_path)
    assert statistics(rmae.load(tmp_path)) == statistics(model)


def test_a_checkpoint_says_it_rather_than_its_run(make_model, tmp_path):
    model = make_model()
    checkpoint = tmp_path / "checkpoints" / "update_000000002"
    write_checkpoint(model, checkpoint, pixel_mean=[0.1, 0.2, 0.3], pixel_std=[1, 2, 3])
    write_run(model, tmp_path, pixel_mean=[0.5] * 3, pixel_std=[0.5] * 3)
    for source in (tmp_path, checkpoint):
        assert statistics(rmae.load(source)) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))


def test_an_older_checkpoint_leaves_it_to_its_run(make_model, tmp_path, monkeypatch):
    model = make_model()
    checkpoint = tmp_path / "checkpoints" / "update_000000002"
    write_checkpoint(model, checkpoint)
    write_run(model, tmp_path, pixel_mean=[0.5] * 3, pixel_std=[0.25] * 3)
    for source in (tmp_path, checkpoint):
        assert statistics(rmae.load(source)) == ((0.5,) * 3, (0.25,) * 3)
    monkeypatch.chdir(checkpoint.parent)
    assert statistics(rmae.load(checkpoint.name)) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("config", [None, "[]", "{", '{"config": 3}', '{"config": {"data": []}}'])
def test_where_nothing_says_it_none_is_known(make_model, tmp_path, config):
    write_checkpoint(make_model(), tmp_path / "checkpoints" / "update_000000002")
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert statistics(rmae.load(tmp_path)) == (None, None)


def test_a_folder_of_an_earlier_version_still_loads(make_model, tmp_path):
    model = make_model()
    write_checkpoint(model, tmp_path / "model")
    loaded = rmae.load(tmp_path / "model")
    assert statistics(loaded) == (None, None)
    assert loaded.encoder.norm.eps == 1e-6


@pytest.mark.parametrize(("channels", "expected"), [(3, IMAGENET), (4, (None, None))])
def test_bare_weights_of_three_channels_have_those_of_imagenet(channels, expected):
    config = rmae.ModelConfig(task="mae", img_size=64, size="micro", channels=channels)
    encoder = rmae.build_model(config).encoder
    assert statistics(rmae.load(encoder.state_dict(), num_heads=4)) == expected


def test_official_files_have_those_of_imagenet(golden_folder, tmp_path):
    tensors = load_file(golden_folder / "rmae_reference_tiny.safetensors")
    weights = {k.removeprefix("weights."): v for k, v in tensors.items() if k.startswith("weights.")}
    torch.save({"model": weights}, tmp_path / "rmae.pth")
    assert statistics(rmae.load(tmp_path / "rmae.pth", num_heads=3)) == IMAGENET


@pytest.mark.parametrize(
    ("scalars", "sentence"),
    [
        (dict(pixel_mean=[0.5], pixel_std=[0.5]), r"config.json: pixel_mean is \[0.5\]; it must be 3 numbers, one"),
        (dict(pixel_mean=[0.5] * 3), "config.json: pixel_std is None; it must be 3 numbers, one a channel"),
        (dict(pixel_mean=["a"] * 3, pixel_std=[1] * 3), "config.json: pixel_mean is .*; it must be 3 numbers"),
        (dict(pixel_mean=[0.5] * 3, pixel_std=[0] * 3), "config.json: pixel_std is .*; each value must be above 0"),
        (dict(norm_eps=2.0), "config.json: what layer norms add is 2.0; it must be a number between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused(make_model, tmp_path, scalars, sentence):
    write_checkpoint(make_model(), tmp_path / "model", **scalars)
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "model")


def test_a_run_tells_what_it_normalised_by(tmp_path, tiny_config, lasting_photo_folder):
    """Of a real run, whatever its checkpoint says itself."""
    from dataclasses import replace

    data = replace(tiny_config.data, pixel_mean=(0.1, 0.2, 0.3), pixel_std=(0.4, 0.5, 0.6))
    run = rmae.pretrain(replace(tiny_config, data=data), data=lasting_photo_folder, out=tmp_path / "run")
    assert statistics(rmae.load(run)) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
