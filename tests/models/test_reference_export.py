"""Writing weights under the reference's names."""

import pytest
import torch
from safetensors.torch import load_file

import rmae
from rmae.models.reference import to_reference
from rmae.models.weights import export_reference, export_timm
from rmae.training.checkpoint import RunProgress, save_checkpoint

HEADS = dict(num_heads=3, decoder_num_heads=4, region_encoder_heads=4, region_decoder_heads=4)


def golden_weights(golden_folder, name):
    tensors = load_file(golden_folder / f"{name}_reference_tiny.safetensors")
    return {k.removeprefix("weights."): v for k, v in tensors.items() if k.startswith("weights.")}


@pytest.mark.parametrize("name", ["rmae", "rae"])
def test_the_names_shapes_and_tables_are_those_that_the_reference_saves(golden_folder, name):
    theirs = golden_weights(golden_folder, name)

    ours = to_reference(rmae.from_reference(theirs, img_size=64, **HEADS))

    assert ours.keys() == theirs.keys()
    for weight, tensor in theirs.items():
        if weight.endswith("pos_embed"):  # the reference computed its tables with another library's sine
            torch.testing.assert_close(ours[weight], tensor, rtol=0, atol=1e-6)
        else:
            assert torch.equal(ours[weight], tensor), weight


CHANGES = [dict(), dict(task="mae"), dict(task="rae"), dict(region_decoder_depth=3, neck_depth=2, channels=4)]


@pytest.mark.parametrize("changes", CHANGES)
def test_the_way_back_is_exact(make_model, same_model, tmp_path, changes):
    model = make_model(**changes)  # rectangular
    assert export_reference(model, tmp_path / "new" / "mae.pth") == (tmp_path / "new" / "mae.pth", ())
    same_model(rmae.load(tmp_path / "new" / "mae.pth"), model)


def test_the_file_is_as_official_ones(make_model, tmp_path):
    """Without our settings the weights load as any that the reference saved."""
    model = make_model(img_size=32, embed_dim=64, num_heads=1, decoder_embed_dim=64, region_embed_dim=32)
    export_reference(model, tmp_path / "mae.pth")
    contents = torch.load(tmp_path / "mae.pth", weights_only=True)
    assert set(contents) == {"model", "rmae"}

    loaded = rmae.load(contents["model"]).eval()

    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name
    images, regions = torch.randn(2, 3, 32, 32), torch.rand(2, 3, 32, 32) < 0.4
    ids_shuffle = torch.rand(2, 16).argsort(dim=1)
    for ours, theirs in zip(loaded(images, regions, ids_shuffle), model(images, regions, ids_shuffle), strict=True):
        assert torch.equal(ours, theirs)


def test_exports_replace_exports(make_model, tmp_path):
    export_reference(make_model(), tmp_path / "mae.pth")
    export_reference(make_model(task="mae"), tmp_path / "mae.pth")
    assert rmae.load(tmp_path / "mae.pth").region_branch is None
    assert [path.name for path in tmp_path.iterdir()] == ["mae.pth"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            dict(region_variant="channel"),
            "region_variant is channel and feeding pixel_to_region, for which the reference",
        ),
        (dict(feeding="none"), "region_variant is length and feeding none, for which the reference code has no names"),
        (dict(feeding="both"), "region_variant is length and feeding both, for which the reference code has no names"),
    ],
)
def test_what_the_reference_has_no_names_for_is_said(make_model, tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        export_reference(make_model(**changes), tmp_path / "mae.pth")
    assert not (tmp_path / "mae.pth").exists()


def test_a_pixel_decoder_that_sees_regions_has_no_names(make_model, tmp_path):
    model = make_model(feeding="both")
    model.region_branch = None
    with pytest.raises(ValueError, match="feeding is both, for which the reference code's pixel decoder has no names"):
        export_reference(model, tmp_path / "mae.pth")


def test_an_export_replaces_no_checkpoint(make_model, tmp_path):
    """Its files have the same names."""
    layer = torch.nn.Linear(2, 3)
    checkpoint = save_checkpoint(tmp_path, layer, torch.optim.AdamW(layer.parameters()), RunProgress(3), {})
    before = (checkpoint / "model.safetensors").read_bytes()
    for export in (export_timm, rmae.MaskedAutoencoder.save_pretrained):
        with pytest.raises(ValueError, match="update_000000003 is a checkpoint of a run; choose a new or empty folder"):
            export(make_model(), checkpoint)
    assert (checkpoint / "model.safetensors").read_bytes() == before
