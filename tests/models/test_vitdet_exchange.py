"""The encoder as the backbone of detectron2's ViTDet."""

import pytest
import torch

import rmae
from rmae.models.interchange.vitdet import global_blocks, to_vitdet, vitdet_settings
from rmae.models.weights import export_detectron2

# Dimensions, global blocks and sizes of the inputs that detectron2 documents for ViTDet-B, -L and -H.
# Source: facebookresearch/detectron2, configs/common/models/mask_rcnn_vitdet.py (patches of 16 pixels, 224 pixels in
# pre-training, 1024 in detection, windows of 14 patches, an MLP of 4 times the width, biases everywhere) and
# projects/ViTDet/configs/COCO/mask_rcnn_vitdet_{b_100ep,l_100ep,h_75ep}.py (dimensions, global blocks).
DOCUMENTED = {
    "base": (768, 12, 12, (2, 5, 8, 11)),
    "large": (1024, 24, 16, (5, 11, 17, 23)),
    "huge": (1280, 32, 16, (7, 15, 23, 31)),
}


def documented_shapes(width, depth, heads, whole):
    """Names and shapes of a backbone's weights, as detectron2/modeling/backbone/vit.py makes them."""
    shapes = {
        "pos_embed": (1, 197, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
    }
    for i in range(depth):
        distances = 2 * (64 if i in whole else 14) - 1
        layers = {"attn.qkv": (3 * width, width), "attn.proj": (width, width)}
        layers |= {"mlp.fc1": (4 * width, width), "mlp.fc2": (width, 4 * width)}
        for name, shape in layers.items():
            shapes[f"blocks.{i}.{name}.weight"], shapes[f"blocks.{i}.{name}.bias"] = shape, shape[:1]
        for name in ("norm1", "norm2"):
            shapes[f"blocks.{i}.{name}.weight"] = shapes[f"blocks.{i}.{name}.bias"] = (width,)
        for axis in "hw":
            shapes[f"blocks.{i}.attn.rel_pos_{axis}"] = (distances, width // heads)
    return {f"backbone.net.{name}": shape for name, shape in shapes.items()}


@pytest.mark.parametrize("size", DOCUMENTED)
def test_names_and_shapes_are_those_of_detectron2(size):
    width, depth, heads, whole = DOCUMENTED[size]
    with torch.device("meta"):
        model = rmae.build_model(rmae.ModelConfig(size=size))

    backbone, rest = to_vitdet(model)

    assert {name: tuple(tensor.shape) for name, tensor in backbone.items()} == documented_shapes(*DOCUMENTED[size])
    in_encoder = {name for name in rest if name.startswith("encoder.")}
    assert in_encoder == {"encoder.cls_token", "encoder.norm.weight", "encoder.norm.bias"}
    windows = [i for i in range(depth) if i not in whole]
    assert vitdet_settings(model) == {
        "pretrain_img_size": 224, "patch_size": 16, "in_chans": 3, "embed_dim": width, "depth": depth,
        "num_heads": heads, "mlp_ratio": 4.0, "window_block_indexes": windows,
    }  # fmt: skip


def test_the_file_holds_the_encoder_and_relative_positions_of_zero(make_model, tmp_path):
    model = make_model(img_size=32)

    exported = export_detectron2(model, tmp_path / "vitdet.pth")

    assert exported == (tmp_path / "vitdet.pth", ())
    contents = torch.load(tmp_path / "vitdet.pth", weights_only=True)  # as detectron2's checkpointer reads it
    weights = contents["model"]
    assert torch.equal(weights["backbone.net.pos_embed"], model.encoder.pos_embed)
    assert torch.equal(weights["backbone.net.blocks.1.mlp.fc2.weight"], model.encoder.blocks[1].mlp.fc2.weight)
    relative = [tensor for name, tensor in weights.items() if "rel_pos" in name]
    assert len(relative) == 4
    assert not any(tensor.any() for tensor in relative)
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())


@pytest.mark.parametrize(
    "changes",
    [dict(), dict(task="mae", channels=4), dict(task="rae"), dict(region_variant="batch"), dict(feeding="both")],
)
def test_the_way_back_is_exact_with_every_part(make_model, same_model, tmp_path, changes):
    model = make_model(img_size=32, **changes)
    export_detectron2(model, tmp_path / "vitdet.pth")
    same_model(rmae.load(tmp_path / "vitdet.pth"), model)


def test_foreign_backbones_are_refused(make_model, tmp_path):
    backbone, _ = to_vitdet(make_model(img_size=32))
    torch.save({"model": backbone, "trainer": {"iteration": 9}}, tmp_path / "vitdet.pth")
    sentence = "of a ViTDet detector, whose backbone has no class token and no final norm; load the weights that it sta"
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "vitdet.pth")


def test_backbones_trained_further_are_refused(make_model, tmp_path):
    export_detectron2(make_model(img_size=32), tmp_path / "vitdet.pth")
    contents = torch.load(tmp_path / "vitdet.pth", weights_only=True)
    contents["model"]["backbone.net.blocks.1.attn.rel_pos_w"][0] = 1
    torch.save(contents, tmp_path / "vitdet.pth")
    with pytest.raises(ValueError, match=r"'backbone.net.blocks.1.attn.rel_pos_w' is not zero, so they were trained"):
        rmae.load(tmp_path / "vitdet.pth")


@pytest.mark.parametrize(("depth", "whole"), [(12, [2, 5, 8, 11]), (10, [1, 4, 6, 9]), (4, [0, 1, 2, 3]), (1, [0])])
def test_the_last_block_of_each_quarter_sees_everything(depth, whole):
    assert global_blocks(depth) == whole


@pytest.mark.parametrize(
    ("depth", "number", "whole"), [(24, 4, [5, 11, 17, 23]), (12, 1, [11]), (5, 2, [1, 4]), (3, 9, [0, 1, 2])]
)
def test_blocks_that_see_everything_are_evenly_spaced(depth, number, whole):
    assert global_blocks(depth, number) == whole


@pytest.mark.parametrize(
    ("changes", "name", "sentence"),
    [
        (dict(), "a.pth", r"for images of 32 x 48 pixels, and ViTDet takes positions of square ones alone; resize it"),
        (
            dict(img_size=28, patch_size=14),
            "a.pth",
            r"patch_size is 14; ViTDet's feature pyramid needs one divisible b",
        ),
        (dict(img_size=32), "a.pkl", r"the file to write is .*a.pkl; its name must end in .pth"),
        (dict(img_size=32), "folder.pth", r"folder.pth is a folder; name a file"),
    ],
)
def test_what_cannot_be_written_is_said(make_model, tmp_path, changes, name, sentence):
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(ValueError, match=sentence):
        export_detectron2(make_model(**changes), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.pth"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(version=99), "vitdet.pth is of format version 99; this rmae reads version 1"),
        (dict(tensors={"a": 1}), "vitdet.pth holds a int called 'a', not tensors by name alone"),
        (None, "vitdet.pth holds something under 'rmae' that rmae did not write"),
    ],
)
def test_a_note_that_makes_no_sense_is_refused(make_model, tmp_path, change, sentence):
    export_detectron2(make_model(img_size=32), tmp_path / "vitdet.pth")
    contents = torch.load(tmp_path / "vitdet.pth", weights_only=True)
    contents["rmae"] = change and contents["rmae"] | change
    torch.save(contents, tmp_path / "vitdet.pth")
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "vitdet.pth")
