"""ViT and ViTMAE of transformers: what it makes of our folders, and what we make of its own."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import rmae
from rmae.models.weights import export_transformers
from rmae.ops.positions import sincos_positions

SHAPE = dict(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=80, image_size=32, patch_size=8,
)  # fmt: skip
DECODER = dict(
    decoder_hidden_size=16, decoder_num_hidden_layers=2, decoder_num_attention_heads=2, decoder_intermediate_size=40,
)  # fmt: skip


def randomise(model):
    """Draw every weight, so that each one matters; the decoder's positions are those of MAE."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator) + name.endswith("norm.weight"))
            if name == "decoder.decoder_pos_embed":
                side = int((weight.shape[1] - 1) ** 0.5)
                weight.copy_(sincos_positions(weight.shape[2], (side, side)))
    return model.eval()


def saved_mae(folder, **changes):
    model = randomise(transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**SHAPE | DECODER | changes)))
    model.save_pretrained(folder)
    return model


def saved_vit(folder, kind=transformers.ViTModel, **changes):
    model = randomise(kind(transformers.ViTConfig(**SHAPE | changes)))
    model.save_pretrained(folder)
    return model


def close(ours, theirs):
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * max(1, theirs.abs().max().item()))


# From there to here


@pytest.mark.parametrize("norm_pix_loss", [True, False])
@pytest.mark.parametrize("layer_norm_eps", [1e-12, 1e-3])
def test_a_vit_mae_gives_its_own_outputs(tmp_path, norm_pix_loss, layer_norm_eps):
    theirs = saved_mae(tmp_path / "mae", norm_pix_loss=norm_pix_loss, layer_norm_eps=layer_norm_eps, mask_ratio=0.6)
    images = torch.randn(2, 3, 32, 32)
    noise = torch.rand(2, 16)

    model = rmae.load(tmp_path / "mae").eval()
    expected = theirs(images, noise=noise)
    output = model(images, None, noise.argsort(dim=1), predict_visible=True)
    loss = rmae.pretrain_losses(output, images, None, normalize_pixels=norm_pix_loss).pixel

    assert model.config.mask_ratio == 0.6
    assert torch.equal(output.pixel_hidden.float(), expected.mask)
    close(output.pixel_prediction, expected.logits)  # the same pixels in the same order
    close(loss, expected.loss)
    assert model.region_branch is None


def test_the_encoder_of_a_vit_mae_gives_its_own_features(tmp_path):
    theirs = saved_mae(tmp_path / "mae")
    theirs.vit.config.mask_ratio = 0.0  # nothing hidden, and the patches in their order
    images = torch.randn(2, 3, 32, 32)
    expected = theirs.vit(images, noise=torch.arange(16.0).expand(2, 16)).last_hidden_state
    close(rmae.encode(rmae.load(tmp_path / "mae").eval(), images), expected)


@pytest.mark.parametrize("kind", ["ViTModel", "ViTForImageClassification", "ViTForMaskedImageModeling"])
@pytest.mark.parametrize("image_size", [32, [16, 32]])
def test_a_vit_gives_its_own_features_whatever_stands_on_it(tmp_path, kind, image_size):
    theirs = saved_vit(tmp_path / "vit", getattr(transformers, kind), image_size=image_size, num_channels=4)
    model = rmae.load(str(tmp_path / "vit")).eval()
    images = torch.randn(2, 4, *model.config.image_hw)
    expected = getattr(theirs, "vit", theirs)(images).last_hidden_state
    close(rmae.encode(model, images), expected)
    assert model.pixel_decoder is None
    assert (model.pixel_mean, model.pixel_std) == (None, None)
    assert torch.equal(model.encoder.pos_embed, getattr(theirs, "vit", theirs).embeddings.position_embeddings)


def test_an_encoder_alone_comes_without_a_decoder(tmp_path):
    saved_mae(tmp_path / "mae").vit.save_pretrained(tmp_path / "vit")
    model = rmae.load(tmp_path / "vit")
    assert model.pixel_decoder is None
    whole = rmae.load(tmp_path / "mae")
    assert whole.pixel_decoder is not None
    assert torch.equal(model.encoder.blocks[1].attn.qkv.weight, whole.encoder.blocks[1].attn.qkv.weight)


@pytest.mark.parametrize("form", ["shards", "bin", "bin shards", "inner names"])
def test_every_form_of_folder_is_read(tmp_path, same_model, form):
    theirs = saved_mae(tmp_path / "mae")
    expected = rmae.load(tmp_path / "mae")
    file = tmp_path / "mae" / "model.safetensors"
    tensors = load_file(file)
    file.unlink()
    halves = [dict(list(tensors.items())[::2]), dict(list(tensors.items())[1::2])]
    match form:
        case "shards":
            file.unlink(missing_ok=True)
            theirs.save_pretrained(tmp_path / "mae", max_shard_size="20KB")
            assert len([*(tmp_path / "mae").glob("model-*.safetensors")]) > 2
        case "bin":
            torch.save(tensors, tmp_path / "mae" / "pytorch_model.bin")
        case "bin shards":
            weight_map = {name: f"pytorch_model-{i}.bin" for i, half in enumerate(halves) for name in half}
            for i, half in enumerate(halves):
                torch.save(half, tmp_path / "mae" / f"pytorch_model-{i}.bin")
            index = tmp_path / "mae" / "pytorch_model.bin.index.json"
            index.write_text(json.dumps({"weight_map": weight_map}))
        case "inner names":
            save_file(theirs.state_dict(), file)
            assert set(load_file(file)) != set(tensors)
    same_model(rmae.load(tmp_path / "mae"), expected)


@pytest.mark.parametrize(
    ("do_normalize", "expected"), [(True, ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))), (False, ((0,) * 3, (1,) * 3))]
)
def test_the_image_processor_tells_what_images_are_normalised_by(tmp_path, do_normalize, expected):
    saved_vit(tmp_path / "vit")
    processor = transformers.ViTImageProcessor(
        image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6], do_normalize=do_normalize
    )
    processor.save_pretrained(tmp_path / "vit")
    model = rmae.load(tmp_path / "vit")
    assert (model.pixel_mean, model.pixel_std) == expected


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            dict(model_type="dinov2"),
            "holds a model of type 'dinov2'; of transformers' models rmae reads vit and vit_mae",
        ),
        (dict(hidden_act="quick_gelu"), "mae: hidden_act is 'quick_gelu'; the encoder of rmae has gelu"),
        (dict(num_attention_heads=3), "embed_dim 32 is not divisible by num_heads 3"),
        (dict(num_attention_heads="four"), "mae is not a configuration of this version: num_heads"),
        (dict(image_size=64), r"'encoder.pos_embed' has shape \(1, 17, 32\); this model needs \(1, 65, 32\)"),
        (dict(layer_norm_eps="tiny"), "mae: what layer norms add is 'tiny'; it must be a number between 0 and 1"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(tmp_path, changes, sentence):
    saved_mae(tmp_path / "mae")
    change_config(tmp_path / "mae", **changes)
    if "image_size" in changes:  # of a folder whose decoder says nothing
        change_weights(tmp_path / "mae", lambda w: w.pop("decoder.decoder_pos_embed"))
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "mae")


def change_weights(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


QUERY = "vit.encoder.layer.0.attention.attention.query."


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("vit.layernorm.bias"), "the weights lack 1 tensors, 'encoder.norm.bias'"),
        (lambda w: w.pop(QUERY.replace("query", "key") + "bias"), "the weights lack 'encoder.layer.0.attention.att"),
        (lambda w: w.pop(QUERY + "bias"), r"mae: the attention has no biases \(qkv_bias\)"),
        (
            lambda w: w.update({"decoder.decoder_pos_embed": torch.zeros(1, 17, 16)}),
            "mae: decoder_pos_embed is not",
        ),
        (lambda w: w.update({"vit.hat": torch.zeros(1)}), "mae holds 'hat', which is not a name of transformers' ViT"),
        (
            lambda w: w.update({"decoder.decoder_layers.0.intermediate.dense.weight": torch.zeros(16, 16)}),
            r"mae: the MLPs are 1 times as wide as their blocks in the decoder and 2.5 times in the encoder",
        ),
        (
            lambda w: w.update({"vit.embeddings.patch_embeddings.projection.weight": torch.zeros(32, 3, 8, 4)}),
            "mae: patches are 8 x 4 pixels; rmae takes square ones",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, change, sentence):
    saved_mae(tmp_path / "mae")
    change_weights(tmp_path / "mae", change)
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "mae")


def test_indices_of_shards_are_checked(tmp_path):
    saved_vit(tmp_path / "vit")
    file = tmp_path / "vit" / "model.safetensors"
    file.rename(tmp_path / "elsewhere.safetensors")
    index = tmp_path / "vit" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(ValueError, match=r"names '../elsewhere.safetensors', which is not a file beside it"):
        rmae.load(tmp_path / "vit")
    index.write_text("[]")
    with pytest.raises(ValueError, match=r"index.json does not tell which file holds which weights"):
        rmae.load(tmp_path / "vit")


def test_a_file_without_its_config_is_refused(tmp_path):
    saved_vit(tmp_path / "vit")
    with pytest.raises(
        ValueError, match=r"carry transformers' names; give the folder that also holds their config.json"
    ):
        rmae.load(tmp_path / "vit" / "model.safetensors")


# From here to there


@pytest.mark.parametrize("shape", [dict(), dict(img_size=32, channels=4), dict(patch_size=4, mlp_ratio=3.1)])
def test_transformers_gives_the_same_features(make_model, tmp_path, shape):
    model = make_model(**shape)

    exported = export_transformers(model, tmp_path / "vit")
    vit, about = transformers.AutoModel.from_pretrained(tmp_path / "vit", output_loading_info=True)

    assert exported.left_out == ("pixel decoder", "region branch")
    assert not any(about[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    images = torch.randn(2, model.config.channels, *model.config.image_hw)
    found = vit.eval()(images)
    assert (found.last_hidden_state - rmae.encode(model, images)).abs().max() <= 1e-5
    close(found.pooler_output, rmae.encode(model, images)[:, 0])


def test_the_decoder_gives_the_same_predictions_and_loss(make_model, tmp_path):
    model = make_model(img_size=32, feeding="none")
    exported = export_transformers(model, tmp_path / "mae", architecture="vit_mae", norm_pix_loss=False)
    mae, about = transformers.ViTMAEForPreTraining.from_pretrained(tmp_path / "mae", output_loading_info=True)

    assert exported.left_out == ("region branch",)
    assert not any(about[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    images, noise = torch.randn(2, 3, 32, 32), torch.rand(2, 16)
    found = mae.eval()(images, noise=noise)
    output = model(images, None, noise.argsort(dim=1), predict_visible=True)
    close(found.logits, output.pixel_prediction)
    close(found.loss, rmae.pretrain_losses(output, images, None, normalize_pixels=False).pixel)


def test_pictures_are_prepared_as_the_model_takes_them(make_model, tmp_path):
    model = make_model()
    export_transformers(model, tmp_path / "vit")
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "vit")
    picture = torch.randint(256, (3, 32, 48), dtype=torch.uint8)  # of the size already

    prepared = processor(picture, return_tensors="pt")["pixel_values"]

    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.pixel_mean, model.pixel_std))
    close(prepared, ((picture / 255 - mean) / std).unsqueeze(0))
    assert processor.resample == 3  # bicubic
    assert processor(torch.zeros(3, 90, 70, dtype=torch.uint8), return_tensors="pt")["pixel_values"].shape[2:] == (
        32,
        48,
    )


@pytest.mark.parametrize("architecture", ["vit", "vit_mae"])
def test_the_way_back_is_exact(make_model, same_model, tmp_path, architecture):
    model = make_model(task="mae", img_size=32, channels=4, mask_ratio=0.5)
    model.config = model.config.without_regions()
    if architecture == "vit":
        model.pixel_decoder = None
    export_transformers(model, tmp_path / "out", architecture=architecture)
    loaded = rmae.load(tmp_path / "out")
    if architecture == "vit":
        assert loaded.config.encoder_shape == model.config.encoder_shape
        model.config = loaded.config  # what concerns the decoder is not in the folder
    same_model(loaded, model)


def test_what_norms_add_travels(make_model, tmp_path):
    saved_mae(tmp_path / "mae", layer_norm_eps=1e-5)
    model = rmae.load(tmp_path / "mae")
    model.save_pretrained(tmp_path / "ours")
    again = rmae.load(tmp_path / "ours")
    again.pixel_mean = again.pixel_std = (0.5,) * 3
    export_transformers(again, tmp_path / "theirs", architecture="vit_mae")
    assert json.loads((tmp_path / "theirs" / "config.json").read_text())["layer_norm_eps"] == 1e-5
    assert {module.eps for module in again.modules() if isinstance(module, torch.nn.LayerNorm)} == {1e-5}


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (dict(task="rae", img_size=32), "the model has no pixel decoder, which vit_mae needs; export it as vit"),
        (dict(), r"for images of 32 x 48 pixels, and transformers' ViTMAEForPreTraining takes square ones alone"),
    ],
)
def test_what_vit_mae_cannot_hold_is_said(make_model, tmp_path, shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        export_transformers(make_model(**shape), tmp_path / "out", architecture="vit_mae")
    assert not (tmp_path / "out").exists()


def test_another_architecture_is_refused(make_model, tmp_path):
    with pytest.raises(ValueError, match="architecture is 'vit_msn'; it must be one of vit, vit_mae"):
        export_transformers(make_model(), tmp_path / "out", architecture="vit_msn")
