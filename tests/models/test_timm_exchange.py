"""The encoder in timm's hub format, and timm's Vision Transformers as encoder."""

import json

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer

import rmae
from rmae.models.weights import export_timm

SHAPES = [
    dict(),  # rectangular, of no usual width
    dict(img_size=32, channels=4),
    dict(img_size=(16, 32), patch_size=4, mlp_ratio=3.1),
    dict(img_size=32, embed_dim=192, depth=12, num_heads=3),  # one of timm's own
]


@pytest.mark.parametrize("shape", SHAPES)
def test_timm_gives_the_same_features(make_model, tmp_path, shape):
    model = make_model(**shape)

    exported = export_timm(model, tmp_path / "vit")
    vit = timm.create_model(f"local-dir:{tmp_path / 'vit'}", pretrained=True).eval()

    assert exported == (tmp_path / "vit", ("pixel decoder", "region branch"))
    images = torch.randn(2, model.config.channels, *model.config.image_hw)
    difference = (vit.forward_features(images) - rmae.encode(model, images)).abs().max()
    assert difference <= 1e-5
    torch.testing.assert_close(
        vit(images), rmae.encode(model, images)[:, 0], rtol=0, atol=1e-5
    )  # pools the class token


def test_timm_knows_how_to_prepare_pictures(make_model, tmp_path):
    model = make_model(channels=4)
    export_timm(model, tmp_path / "vit")
    vit = timm.create_model(f"local-dir:{tmp_path / 'vit'}", pretrained=True)

    prepared = timm.data.resolve_model_data_config(vit)

    assert tuple(prepared["input_size"]) == (4, 32, 48)
    assert tuple(prepared["mean"]) == model.pixel_mean
    assert tuple(prepared["std"]) == model.pixel_std
    assert prepared["interpolation"] == "bicubic"
    assert prepared["crop_pct"] == 0.875


def test_sizes_of_their_own_have_timms_names(make_model, tmp_path):
    export_timm(make_model(embed_dim=384, depth=12, num_heads=6), tmp_path / "vit")
    config = json.loads((tmp_path / "vit" / "config.json").read_text())
    assert config["architecture"] == "vit_small_patch16_224"
    assert config["num_classes"] == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_the_way_back_is_exact(make_model, same_model, tmp_path, shape):
    model = make_model(**shape, task="mae")
    model.pixel_decoder = None
    export_timm(model, tmp_path / "vit")

    loaded = rmae.load(str(tmp_path / "vit"))

    # What concerns the decoders alone is not in the folder.
    kept = [(c.image_hw, c.patch_size, c.channels, c.encoder_shape) for c in (loaded.config, model.config)]
    assert kept[0] == kept[1]
    model.config = loaded.config
    same_model(loaded, model)


def save_as_timm(vit, folder, **model_args):
    """What timm's own hub export writes, for a named architecture."""
    timm.models.save_for_hf(vit, str(folder), model_args=model_args, safe_serialization=True)


@pytest.mark.parametrize("num_classes", [0, 5])
@pytest.mark.parametrize("weights_file", ["model.safetensors", "pytorch_model.bin"])
def test_what_timm_saved_gives_its_own_outputs(tmp_path, num_classes, weights_file):
    arguments = dict(img_size=(32, 64), patch_size=16, embed_dim=48, depth=2, num_heads=4, mlp_ratio=3.0)
    vit = timm.create_model("vit_small_patch16_224", num_classes=num_classes, **arguments).eval()
    save_as_timm(vit, tmp_path / "vit", **arguments)
    if weights_file != "model.safetensors":
        torch.save(load_file(tmp_path / "vit" / "model.safetensors"), tmp_path / "vit" / weights_file)
        (tmp_path / "vit" / "model.safetensors").unlink()

    model = rmae.load(tmp_path / "vit").eval()

    images = torch.randn(2, 3, 32, 64)
    torch.testing.assert_close(rmae.encode(model, images), vit.forward_features(images), rtol=0, atol=1e-5)
    assert model.config.encoder_shape == (48, 2, 4)
    assert model.config.image_hw == (32, 64)
    assert torch.equal(model.encoder.pos_embed, vit.pos_embed)  # learned ones are kept as they are
    assert model.pixel_decoder is None
    assert model.region_branch is None
    assert model.pixel_mean == (0.5, 0.5, 0.5)  # what timm says of this architecture


@pytest.mark.parametrize("wrapped", [True, False])
def test_bare_weights_with_a_classifier_lose_it(tmp_path, wrapped):
    vit = VisionTransformer(img_size=32, patch_size=8, embed_dim=64, depth=1, num_heads=1, num_classes=7).eval()
    weights = vit.state_dict()
    assert "head.weight" in weights
    torch.save({"model": weights} if wrapped else weights, tmp_path / "vit.pth")

    model = rmae.load(tmp_path / "vit.pth").eval()

    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(rmae.encode(model, images), vit.forward_features(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            dict(init_values=0.1),
            r"the weights have layer scale \('blocks.0.ls1.gamma'\), which the encoder of rmae has",
        ),
        (dict(reg_tokens=2), r"the weights have register tokens \('reg_token'\)"),
        (dict(global_pool="avg"), r"the weights have a norm after pooling \(fc_norm\) in place of the final norm"),
        (dict(class_token=False, global_pool="avg", fc_norm=False), r"the weights have no class token \('cls_token'\)"),
        (dict(pre_norm=True), r"the weights have a norm before the blocks \('norm_pre.(weight|bias)'\)"),
        (dict(qk_norm=True), r"the weights have norms of queries and keys"),
        (dict(qkv_bias=False), r"the weights have no biases of queries, keys and values"),
        (dict(pos_embed="none"), r"the weights have no positions \('pos_embed'\)"),
        (dict(global_pool="map", class_token=False), r"the weights have attention pooling"),
    ],
)
def test_other_vision_transformers_are_refused(tmp_path, arguments, sentence):
    shape = dict(img_size=32, patch_size=8, embed_dim=64, depth=1, num_heads=1, num_classes=0)
    vit = VisionTransformer(**shape | arguments)
    with pytest.raises(ValueError, match=sentence):
        rmae.load(vit.state_dict())
    named = timm.create_model("vit_small_patch16_224", **shape | arguments)
    save_as_timm(named, tmp_path / "vit")
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "vit")


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(architecture="vit_of_nobody"), r"holds weights of 'vit_of_nobody', which is not a model of timm"),
        (dict(architecture="hf-hub:timm/resnet18"), r"holds weights of 'hf-hub:timm/resnet18', which is not a model"),
        (dict(architecture=3), r"holds weights of 3, which is not a model of timm"),
        (dict(architecture="resnet18"), r"vit: timm cannot build what it describes: "),
        (
            dict(architecture="resnet18", model_args={}),
            r"holds timm's resnet18, which is not a plain Vision Transformer",
        ),
        (
            dict(model_args=dict(act_layer="relu", patch_size=8)),
            r"holds timm's vit_base_patch16_224, which is not a pl",
        ),
        (
            dict(model_args=dict(no_embed_class=True)),
            r"is not a plain Vision Transformer with a class token, a position",
        ),
        (dict(model_args=[1]), r"vit: model_args are not those of timm's VisionTransformer"),
        (dict(model_args=dict(embed_dim=50)), r"vit: timm cannot build what it describes: "),
        (dict(model_args=dict(depth=0)), r"is not a plain Vision Transformer"),
        (dict(model_args=dict(colour="red")), r"vit: model_args are not those of timm's VisionTransformer"),
        (dict(model_args=dict(patch_size=[8, 4])), r"vit: patches are 8 x 4 pixels; rmae takes square ones"),
        (dict(model_args=dict(final_norm=False)), r"has no final layer norm, which the encoder of rmae has"),
        (
            dict(pretrained_cfg=dict(mean=[0.5], std=[0.5])),
            r"vit: mean is \[0.5\]; it must be 3 numbers, one a chan",
        ),
        (dict(pretrained_cfg=dict(mean=[0.5] * 3, std=[0] * 3)), r"vit: std is .*; each value must be above 0"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(make_model, tmp_path, changes, sentence):
    export_timm(make_model(img_size=32), tmp_path / "vit")
    change_config(tmp_path / "vit", **changes)
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "vit")


def test_what_images_are_normalised_by_must_be_known(make_model, tmp_path):
    model = make_model()
    model.pixel_mean = None
    with pytest.raises(ValueError, match=r"^the weights do not tell what images were normalised by.*--pixel-mean"):
        export_timm(model, tmp_path / "vit")
    assert not (tmp_path / "vit").exists()


def test_exports_replace_exports_and_nothing_else(make_model, tmp_path):
    export_timm(make_model(), tmp_path / "vit")
    export_timm(make_model(img_size=32), tmp_path / "vit")
    assert rmae.load(tmp_path / "vit").config.img_size == 32
    assert [path.name for path in tmp_path.iterdir()] == ["vit"]
    (tmp_path / "vit" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"something else than an export in .*; choose a new or empty folder"):
        export_timm(make_model(), tmp_path / "vit")


def test_folders_without_weights_are_refused(make_model, tmp_path):
    export_timm(make_model(), tmp_path / "vit")
    (tmp_path / "vit" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"vit holds no weights: model.safetensors and pytorch_model.bin are mi"):
        rmae.load(tmp_path / "vit")
