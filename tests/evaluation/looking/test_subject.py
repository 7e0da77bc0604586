import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

import rmae
from rmae.config import PretrainConfig
from rmae.evaluation.looking.subject import Subject, open_subjects

SaveModel = Callable[..., Path]


def open_all(*sources: str | Path, img_size: int | tuple[int, int] | None = None) -> tuple[Subject, ...]:
    return open_subjects(sources, img_size=img_size, seed=0)


def test_a_whole_model_is_opened_with_its_parts(save_model: SaveModel):
    [subject] = open_all(save_model("My model, 1"))
    assert (subject.name, subject.key) == ("My model, 1", "my-model-1")
    assert (subject.image_hw, subject.grid, subject.channels) == ((32, 48), (4, 6), 3)
    assert subject.model is not None
    assert subject.encoder is subject.model.encoder
    assert not subject.encoder.training
    assert not subject.model.training
    assert subject.run is None


def test_pictures_are_squeezed_whole_and_normalised(save_model: SaveModel):
    [subject] = open_all(save_model())
    image = np.zeros((90, 20, 3), np.uint8)
    image[45:] = 255
    pixels = subject.squeeze(image)
    assert pixels.shape == (1, 3, 32, 48)
    assert (pixels[..., :14, :] == 0).all()
    assert (pixels[..., 18:, :] == 1).all()
    normalised = subject.normalise(pixels)
    assert normalised[0, 1, 31, 0].item() == pytest.approx((1 - 0.4 - 1 / 32) / (0.2 + 1 / 32))
    torch.testing.assert_close(subject.in_full_scale(normalised), pixels)
    deep = subject.squeeze(np.full((5, 5, 3), 32768, np.uint16))
    assert deep.mean().item() == pytest.approx(32768 / 65535)


def test_another_size_of_picture(save_model: SaveModel, tmp_path: Path):
    whole = save_model("whole")
    rmae.export_timm(rmae.load(whole), tmp_path / "encoder")
    for subject in open_all(whole, tmp_path / "encoder", "scratch", img_size=(64, 40)):
        assert (subject.image_hw, subject.grid) == ((64, 40), (8, 5))
        assert subject.model is None or subject.model.config.image_hw == (64, 40)


def test_an_encoder_alone_has_no_model(save_model: SaveModel, tmp_path: Path):
    rmae.export_timm(rmae.load(save_model("whole")), tmp_path / "encoder")
    whole, alone = open_all(tmp_path / "whole", tmp_path / "encoder")
    assert alone.model is None
    assert torch.equal(alone.encoder.blocks[1].attn.qkv.weight, whole.encoder.blocks[1].attn.qkv.weight)


def test_a_folder_of_timm_that_load_does_not_take(tmp_path: Path):
    arguments = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "reg_tokens": 3}
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, **arguments)
    timm.models.save_for_hf(vit, tmp_path / "registers", model_args=arguments)
    [subject] = open_all(tmp_path / "registers")
    assert subject.encoder.num_prefix_tokens == 4
    assert subject.normalisation.std.flatten().tolist() == [0.5, 0.5, 0.5]  # as timm's models of this name have it


def test_scratch_is_a_twin_of_the_first_with_random_weights(save_model: SaveModel):
    first, scratch = open_all(save_model(seed=5), "scratch")
    assert (scratch.name, scratch.is_random, scratch.model) == ("scratch", True, None)
    assert (scratch.grid, scratch.encoder.embed_dim) == (first.grid, 32)
    assert torch.equal(scratch.normalisation.mean, first.normalisation.mean)
    assert not torch.equal(scratch.encoder.blocks[0].attn.qkv.weight, first.encoder.blocks[0].attn.qkv.weight)
    _, again = open_all(save_model("again"), "scratch")
    assert torch.equal(scratch.encoder.blocks[0].attn.qkv.weight, again.encoder.blocks[0].attn.qkv.weight)


def test_scratch_has_the_shape_of_an_encoder_alone(save_model: SaveModel, tmp_path: Path):
    rmae.export_timm(rmae.load(save_model(embed_dim=48, depth=3, mlp_ratio=2.0)), tmp_path / "encoder")
    first, scratch = open_all(tmp_path / "encoder", "scratch")
    assert first.model is None
    assert scratch.is_random
    assert (scratch.grid, scratch.image_hw, scratch.channels) == (first.grid, first.image_hw, first.channels)
    shapes = [{name: tensor.shape for name, tensor in each.encoder.state_dict().items()} for each in (first, scratch)]
    assert shapes[0] == shapes[1]
    assert torch.equal(scratch.normalisation.std, first.normalisation.std)


def test_names_tell_models_apart(save_model: SaveModel, tmp_path: Path):
    places = [save_model(name) for name in ("a/model", "b/model", "c")]
    subjects = open_all(*places, places[2])
    assert [subject.name for subject in subjects] == [*map(str, places), f"{places[2]}-2"]
    assert len({subject.key for subject in subjects}) == 4
    [dots] = open_all(save_model("..strange . name"))
    assert dots.key == "strange-.-name"


def test_a_run_is_remembered(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    config = replace(tiny_config, loss=replace(tiny_config.loss, normalize_pixels=False))
    run = rmae.pretrain(config, data=photo_folder, out=tmp_path / "run")
    [of_run] = open_all(run)
    [of_checkpoint] = open_all(run / "checkpoints" / "update_000000002")
    for subject in (of_run, of_checkpoint):
        assert subject.run is not None
        assert subject.run.data == str(photo_folder)
        assert subject.run.settings["loss"]["normalize_pixels"] is False
    assert (of_run.name, of_checkpoint.name) == ("run", "run/update_000000002")
    [copied] = open_all(shutil.copytree(run / "checkpoints" / "update_000000002", tmp_path / "elsewhere"))
    assert copied.run is None


@pytest.mark.parametrize(
    ("source", "img_size", "sentence"),
    [
        ("./nothing", None, "there is nothing at ./nothing; give a run"),
        ("mine", 50, "mine: img_size 50 is not divisible by patch_size 8; the nearest that are: 48 or 56"),
        ("encoder", 50, "encoder: pictures of 50 x 50 pixels cannot be cut into the encoder's patches of 8"),
        ("vit_base_patch16_224.none", None, "timm has no pre-trained weights for vit_base_patch16_224.none"),
        ("unknown", None, r"unknown does not tell what the 4 channel\(s\) of its pictures are normalised by; save"),
    ],
)
def test_what_cannot_be_opened_is_said(
    source: str, img_size: int | None, sentence: str, save_model: SaveModel, monkeypatch: pytest.MonkeyPatch
):
    folder = save_model().parent
    monkeypatch.chdir(folder)
    rmae.export_timm(rmae.load(folder / "mine"), folder / "encoder")
    unknown = rmae.load(save_model("four", channels=4))
    unknown.pixel_mean = unknown.pixel_std = None
    unknown.save_pretrained(folder / "unknown")
    with pytest.raises(ValueError, match=f"^{sentence}"):
        open_all(source, img_size=img_size)


def test_weights_of_three_channels_that_do_not_tell_are_taken_to_be_imagenets(save_model: SaveModel, tmp_path: Path):
    model = rmae.load(save_model())
    model.pixel_mean = model.pixel_std = None
    model.save_pretrained(tmp_path / "silent")
    [subject] = open_all(tmp_path / "silent")
    assert subject.normalisation.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
