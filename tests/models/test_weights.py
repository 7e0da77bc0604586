import argparse
import json
import re
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer

import rmae
from rmae.models.weights import read_scalars, read_tensors, write_folder


def assert_same_weights(ours, theirs):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.mark.parametrize("task", ["mae", "rae", "rmae"])
def test_a_saved_model_comes_back(make_case, tmp_path, task):
    case = make_case(task=task)
    case.model.float()

    case.model.save_pretrained(tmp_path / "model")
    loaded = rmae.load(tmp_path / "model")

    assert loaded.config == case.config
    assert_same_weights(loaded, case.model)
    assert not loaded.encoder.pos_embed.requires_grad
    assert (tmp_path / "model").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]  # nothing half-written beside it
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"README.md", "config.json", "model.safetensors"}


def test_a_model_without_its_decoders_comes_back_without_them(make_case, tmp_path):
    case = make_case()
    case.model.float().pixel_decoder = None
    case.model.save_pretrained(tmp_path)
    loaded = rmae.load(tmp_path)
    assert loaded.pixel_decoder is None
    assert loaded.region_branch is not None


def test_saving_replaces_what_was_there(make_case, tmp_path):
    case = make_case(task="mae")
    case.model.float().save_pretrained(tmp_path / "model")
    with torch.no_grad():
        case.model.encoder.cls_token.fill_(3)
    case.model.save_pretrained(tmp_path / "model")
    assert (rmae.load(tmp_path / "model").encoder.cls_token == 3).all()


def test_saving_leaves_other_files_alone(make_case, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"something else than a model in .*; choose a new or empty folder"):
        make_case(task="mae").model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def official_weights(embed_dim=64, full=True):
    """A model's weights under official MAE names."""
    vit = VisionTransformer(img_size=32, patch_size=8, embed_dim=embed_dim, depth=1, num_heads=1, num_classes=0)
    weights = dict(vit.state_dict())
    if full:
        config = rmae.ModelConfig(
            task="mae", img_size=32, patch_size=8, embed_dim=embed_dim, depth=1, num_heads=1, decoder_embed_dim=64,
            decoder_depth=1, decoder_num_heads=2,
        )  # fmt: skip
        sequence = rmae.build_model(config).pixel_decoder.sequence
        weights |= {f"decoder_{k}": v for k, v in sequence.state_dict().items() if k != "mask_token"}
        weights["mask_token"] = sequence.mask_token.detach()
        weights["decoder_pos_embed"] = sequence.pos_embed
        weights["decoder_pred.weight"], weights["decoder_pred.bias"] = torch.randn(192, 64), torch.randn(192)
    return vit, weights


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_official_mae_files_load(tmp_path, full, wrapped):
    vit, weights = official_weights(full=full)
    contents = {"model": weights, "args": argparse.Namespace(lr=1), "epoch": 3} if wrapped else weights
    torch.save(contents, tmp_path / "mae.pth")

    model = rmae.load(tmp_path / "mae.pth")

    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(rmae.encode(model, images), vit.forward_features(images), rtol=1e-4, atol=1e-5)
    assert model.region_branch is None
    if full:
        assert torch.equal(model.pixel_decoder.prediction.weight, weights["decoder_pred.weight"])
        assert model.config.decoder_num_heads == 2
    else:
        assert model.pixel_decoder is None


def test_heads_are_64_wide_unless_told(tmp_path):
    _, weights = official_weights(embed_dim=128)
    assert rmae.load(weights).config.num_heads == 2
    assert rmae.load(weights, num_heads=4).config.num_heads == 4
    _, odd = official_weights(embed_dim=48)
    with pytest.raises(ValueError, match="48 wide, which does not tell their number of heads; give num_heads"):
        rmae.load(odd)
    assert rmae.load(odd, num_heads=3).config.num_heads == 3


def test_a_pickled_program_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="cannot be read as a file of weights alone"):
        rmae.load(tmp_path / "evil.pth")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nothing/at/all", "there is nothing at nothing/at/all"),
        ({"a": torch.zeros(1)}, "neither the names of MAE nor those of R-MAE"),
    ],
)
def test_what_is_no_model_is_refused(source, sentence):
    with pytest.raises(ValueError, match=sentence):
        rmae.load(source)


def test_damaged_files_are_refused(make_case, tmp_path):
    make_case(task="mae").model.float().save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        rmae.load(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="not a model or a checkpoint of rmae"):
        rmae.load(tmp_path / "model")
    for name in ("empty.pth", "text.pth"):
        (tmp_path / name).write_bytes(b"" if name == "empty.pth" else b"hello")
        with pytest.raises(ValueError, match="cannot be read as a file of weights alone"):
            rmae.load(tmp_path / name)


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ([1, 2], "weights.pth holds a list, not tensors by name"),
        (torch.zeros(2), "weights.pth holds a Tensor, not tensors by name"),
        ({"model": 3}, "weights.pth holds a int, not tensors by name"),
        ({"model": {"epoch": 3}}, "weights.pth holds a int called 'epoch', not tensors by name alone"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, contents, sentence):
    torch.save(contents, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=sentence):
        rmae.load(tmp_path / "weights.pth")


def test_a_path_is_never_looked_for_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in (Path("runs/coco"), "./runs/coco", "runs/coco.pth", "runs/coco/"):
        with pytest.raises(ValueError, match=f"^there is nothing at {source};"):
            rmae.load(source)


def test_a_folder_of_another_version_is_refused(tmp_path):
    write_folder(tmp_path / "model", {"a": torch.zeros(1)}, {})
    scalars = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(scalars | {"version": 99}))
    with pytest.raises(ValueError, match="is of format version 99; this rmae reads version 1"):
        read_scalars(tmp_path / "model")


def test_tensors_are_read_by_prefix(tmp_path):
    write_folder(tmp_path / "model", {"a.x": torch.ones(2), "b.x": torch.zeros(2)}, {})
    assert [*read_tensors(tmp_path / "model", "a.")] == ["x"]


def test_the_checkpoint_of_an_evaluation_is_no_model(tmp_path):
    checkpoint = tmp_path / "checkpoints" / "update_000000002"
    write_folder(checkpoint, {"model.head.weight": torch.ones(1)}, {"format": "checkpoint", "update": 2})
    with pytest.raises(ValueError, match=r"holds no model to load: a run has none before .*, and an evaluation none"):
        rmae.load(tmp_path)


def bomb(name, tensor):
    _, weights = official_weights()
    return weights | {name: tensor}


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (bomb("pos_embed", torch.zeros(1).expand(10**5, 10**5)), "'pos_embed' of shape (100000, 100000), but fewer"),
        (bomb("pos_embed", torch.zeros(17).as_strided((17, 16), (1, 0))), "'pos_embed' of shape (17, 16), but fewer"),
        (bomb("pos_embed", torch.empty(10**6, 10**6, device="meta")), "'pos_embed' as a tensor without numbers"),
        (bomb("cls_token", torch.eye(3).to_sparse()), "'cls_token' as a sparse or nested tensor"),
        (dict.fromkeys("abc", torch.zeros(100)), "400 bytes of numbers, of which it makes tensors of 1,200 bytes"),
    ],
)
@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
def test_weights_that_are_larger_than_their_file_are_refused(tmp_path, weights, sentence):
    """Else a file of a kilobyte would take all memory, as the model that it describes is built."""
    torch.save(weights, tmp_path / "mae.pth")
    with pytest.raises(ValueError, match=rf"mae\.pth holds {re.escape(sentence)}"):
        rmae.load(tmp_path / "mae.pth")


def test_weights_that_are_packed_are_refused(tmp_path):
    """Zeros pack to a thousandth, and torch, which never packs, would unpack whatever it is given."""
    torch.save({"pos_embed": torch.zeros(10**6)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "mae.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member))
    assert torch.equal(torch.load(tmp_path / "mae.pth")["pos_embed"], torch.zeros(10**6)), "torch does unpack it"
    with pytest.raises(ValueError, match=r"cannot be read .*: it has \d,\d{3} bytes that unpack to 4,00\d,\d{3};"):
        rmae.load(tmp_path / "mae.pth")


def test_parts_of_one_storage_and_tied_weights_load(tmp_path):
    _, weights = official_weights()
    together = torch.cat([weight.flatten() for weight in weights.values()])
    parts = together.split([weight.numel() for weight in weights.values()])
    views = {name: part.view_as(weights[name]) for name, part in zip(weights, parts, strict=True)}
    views["blocks.0.norm1.weight"] = views["blocks.0.norm2.weight"]
    torch.save(views, tmp_path / "mae.pth")
    assert_same_weights(rmae.load(tmp_path / "mae.pth"), rmae.load(weights))


@pytest.mark.parametrize("name", [".", "w", "e"])
def test_an_error_names_its_folder_however_short_that_is(tmp_path, monkeypatch, make_case, name):
    make_case(task="mae").model.float().save_pretrained(tmp_path / name)
    weights = load_file(tmp_path / name / "model.safetensors")
    del weights["model.encoder.cls_token"]
    save_file(weights, tmp_path / name / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"^{re.escape(name)}: the weights lack 1 tensors, 'encoder\.cls_token'"):
        rmae.load(name)
    (tmp_path / name / "config.json").unlink()
    with pytest.raises(ValueError, match=rf"^{re.escape(name)} is not a model or a checkpoint of rmae"):
        rmae.load(name)
