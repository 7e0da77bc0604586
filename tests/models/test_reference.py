"""Reading weights under the reference's names; the numbers they give are held by test_golden."""

import pytest
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer

import rmae

HEADS = dict(num_heads=3, decoder_num_heads=4, region_encoder_heads=4, region_decoder_heads=4)


@pytest.fixture
def weights(golden_folder):
    tensors = load_file(golden_folder / "rmae_reference_tiny.safetensors")
    return {k.removeprefix("weights."): v for k, v in tensors.items() if k.startswith("weights.")}


def test_the_architecture_is_read_from_the_shapes(weights):
    config = rmae.from_reference(weights, img_size=64, **HEADS).config
    assert config.task == "rmae"
    assert config.encoder_shape == (48, 2, 3)
    assert (config.patch_size, config.channels, config.neck_depth) == (8, 3, 2)
    assert (config.decoder_embed_dim, config.decoder_depth, config.region_embed_dim) == (32, 2, 32)


def test_an_encoder_alone_comes_without_random_parts(weights):
    encoder = {k: v for k, v in weights.items() if not k.startswith(("decoder_", "region_", "mask_token"))}
    model = rmae.from_reference(encoder, img_size=64, **HEADS)
    assert model.pixel_decoder is None
    assert model.region_branch is None
    assert torch.equal(model.encoder.blocks[1].attn.qkv.weight, weights["blocks.1.attn.qkv.weight"])


def test_rectangular_timm_weights_load():
    vit = VisionTransformer(img_size=(16, 32), patch_size=8, embed_dim=32, depth=1, num_heads=2, num_classes=0)
    model = rmae.from_reference(vit.state_dict(), img_size=(16, 32), **HEADS | {"num_heads": 2})
    images = torch.randn(1, 3, 16, 32)
    torch.testing.assert_close(rmae.encode(model, images), vit.forward_features(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("norm.bias"), "lack 1 tensors, 'encoder.norm.bias'"),
        (lambda w: w.pop("region_proj.1.weight"), "lack 1 tensors, 'region_branch.decoder.query_proj.weight'"),
        (lambda w: w.update(head=torch.zeros(1)), "'head', which is not a name of MAE or R-MAE"),
        (lambda w: w.update({"norm.bias": torch.zeros(3)}), r"'encoder.norm.bias' has shape \(3,\).* needs \(48,\)"),
        (lambda w: w.update(decoder_pos_embed=torch.ones(1, 65, 32)), "decoder_pos_embed is not the sine-cosine table"),
        (lambda w: w.update(decoder_pos_embed=torch.ones(1, 50, 32)), "decoder_pos_embed is not the sine-cosine table"),
        (lambda w: w.pop("pos_embed"), "lack"),
    ],
)
def test_what_does_not_fit_is_said(weights, change, sentence):
    change(weights)
    with pytest.raises(ValueError, match=sentence):
        rmae.from_reference(weights, img_size=64, **HEADS)


def test_another_image_size_is_refused(weights):
    with pytest.raises(ValueError, match=r"have 64 positions, but an image of \(32, 32\) has 4 x 4 patches"):
        rmae.from_reference(weights, img_size=32, **HEADS)
