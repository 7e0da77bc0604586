from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch

from rmae import ModelConfig, build_model, encode
from rmae.config import EncoderConfig
from rmae.evaluation.encoder import fit_encoder, open_encoder

CONFIG = EncoderConfig(img_size=32, scratch_size="micro", scratch_patch_size=8)
MODEL = ModelConfig(
    task="mae", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
    decoder_num_heads=2,
)  # fmt: skip


def test_the_global_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    open_encoder("scratch", CONFIG, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_scratch_depends_on_the_seed_alone():
    vits = [open_encoder("scratch", CONFIG, seed=seed).vit for seed in (0, 0, 1)]
    weights = [vit.blocks[0].attn.qkv.weight for vit in vits]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert vits[0].embed_dim == 128
    assert all(parameter.requires_grad for parameter in vits[0].parameters())


def test_a_saved_model_gives_its_own_features(tmp_path: Path):
    model = build_model(MODEL).eval()
    model.save_pretrained(tmp_path / "model")
    encoder = open_encoder(tmp_path / "model", CONFIG, seed=0)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(encoder.vit.eval().forward_features(images), encode(model, images))
    assert encoder.patch_size == 8
    assert encoder.pixel_mean == (0.485, 0.456, 0.406)


def test_a_folder_of_timm_is_run_by_timm(tmp_path: Path):
    arguments = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "init_values": 0.1}
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, **arguments).eval()
    pretrained = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": [3, 32, 32]}
    timm.models.save_for_hf(vit, tmp_path, model_config=pretrained, model_args=arguments)
    encoder = open_encoder(tmp_path, CONFIG, seed=0)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(encoder.vit.eval().forward_features(images), vit.forward_features(images))
    assert encoder.pixel_mean == (0.5, 0.5, 0.5)


def test_the_classifier_of_a_folder_of_timm_is_left_out(tmp_path: Path):
    arguments = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2}
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=5, **arguments).eval()
    timm.models.save_for_hf(vit, tmp_path, model_config={"num_classes": 5}, model_args=arguments)
    encoder = open_encoder(tmp_path, CONFIG, seed=0)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(encoder.vit.eval().forward_features(images), vit.forward_features(images))


@pytest.mark.parametrize(("depth", "sentence"), [(1, 'Unexpected key.*"blocks.1.norm1'), (3, 'Missing key.*"blocks.2')])
def test_weights_that_a_folder_of_timm_does_not_describe_are_refused(depth: int, sentence: str, tmp_path: Path):
    """Of blocks that are not built, or none for blocks that are."""
    arguments = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "num_heads": 2}
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=5, depth=2, **arguments)
    described = {**arguments, "depth": depth}
    timm.models.save_for_hf(vit, tmp_path, model_config={"num_classes": 5}, model_args=described)
    with pytest.raises(ValueError, match=f"timm cannot load {tmp_path}: .*{sentence}"):
        open_encoder(tmp_path, CONFIG, seed=0)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("runs/none", "cannot be had from the hub|there is nothing at"),
        ("somewhere/else/entirely", "there is nothing at somewhere/else/entirely"),
        ("vit_base_patch16_224.none", "timm has no pre-trained weights for vit_base_patch16_224.none"),
        ("vit_tiny_patch16_18", "there is nothing at vit_tiny_patch16_18"),
    ],
)
def test_what_is_no_encoder_is_refused(source, sentence, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=sentence):
        open_encoder(source, CONFIG, seed=0)


def test_other_channels_than_three_are_refused(tmp_path: Path):
    build_model(replace(MODEL, channels=1)).save_pretrained(tmp_path / "grey")
    with pytest.raises(ValueError, match="takes pictures of 1 channel"):
        open_encoder(tmp_path / "grey", CONFIG, seed=0)


def test_fitting_resizes_positions_and_sets_drop_path():
    vit = fit_encoder(open_encoder("scratch", CONFIG, seed=0).vit, image_hw=(48, 64), drop_path=0.3)
    assert vit.forward_features(torch.rand(1, 3, 48, 64)).shape == (1, 1 + 6 * 8, 128)
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in vit.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"patches of 8; the nearest to 50 that can: 48 or 56 \(--img-size\)"):
        fit_encoder(vit, image_hw=(48, 50), drop_path=0)


def test_fitting_to_the_size_it_has_changes_no_feature():
    encoder = open_encoder("scratch", CONFIG, seed=0)
    images = torch.rand(1, 3, 32, 32)
    before = encoder.vit.eval().forward_features(images)
    fitted = fit_encoder(encoder.vit, image_hw=(32, 32), drop_path=0.2).eval()
    assert torch.equal(fitted.forward_features(images), before)
