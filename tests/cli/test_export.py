"""rmae export: folders and files for other tools."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import transformers

import rmae
from rmae import cli

Complaint = Callable[..., str]
Done = Callable[..., str]


@pytest.fixture
def official_file(tmp_path: Path) -> Path:
    """Bare weights of an encoder by the reference's names, 48 wide."""
    config = rmae.ModelConfig(task="mae", img_size=32, patch_size=8, embed_dim=48, depth=1, num_heads=3)
    model = rmae.build_model(config)
    torch.save({"model": model.encoder.state_dict()}, tmp_path / "mae.pth")
    return tmp_path / "mae.pth"


def test_a_run_goes_to_timm(made_run: Path, tmp_path: Path, done: Done):
    said = done("export", "timm", made_run, tmp_path / "vit")

    left_out = "left out, since there is no place for it: the pixel decoder and the region branch"
    assert said.splitlines() == [f"exported: {tmp_path / 'vit'}", left_out]
    vit = timm.create_model(f"local-dir:{tmp_path / 'vit'}", pretrained=True).eval()
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(
        vit.forward_features(images), rmae.encode(rmae.load(made_run).eval(), images), rtol=0, atol=1e-5
    )
    assert vit.pretrained_cfg["mean"] == [0.485, 0.456, 0.406]


@pytest.mark.parametrize(("flags", "grid"), [(["64"], (8, 8)), (["32", "64"], (4, 8))])
def test_sizes_are_changed_on_the_way(made_run: Path, tmp_path: Path, done: Done, flags: list[str], grid: tuple):
    done("export", "transformers", made_run, tmp_path / "vit", "--img-size", *flags)
    vit = transformers.AutoModel.from_pretrained(tmp_path / "vit")
    assert vit.embeddings.position_embeddings.shape == (1, 1 + grid[0] * grid[1], 32)
    assert rmae.load(tmp_path / "vit").config.grid == grid


def test_patches_are_changed_on_the_way(made_run: Path, tmp_path: Path, done: Done):
    said = done("export", "reference", made_run, tmp_path / "mae.pth", "--patch-size", "16")
    assert said.splitlines() == [f"exported: {tmp_path / 'mae.pth'}"]
    model = rmae.load(tmp_path / "mae.pth")
    assert model.config.patch_size == 16
    assert model.pixel_decoder is None


def test_a_run_goes_to_vit_mae_with_the_loss_that_it_had(
    lasting_photo_folder: Path, tiny_flags: list[str], tmp_path: Path, done: Done
):
    run = tmp_path / "run"
    done("pretrain", "--data", lasting_photo_folder, "--out", run, *tiny_flags, "--no-normalize-pixels")
    [checkpoint] = [path for path in (run / "checkpoints").iterdir() if path.name.endswith("4")]
    for source, flags, expected in (
        (run, [], False),
        (checkpoint, [], False),
        (run, ["--norm-pix-loss", "True"], True),
    ):
        said = done("export", "transformers", source, tmp_path / "mae", "--architecture", "vit_mae", *flags)
        assert "region branch" in said
        assert "pixel decoder" not in said
        mae = transformers.ViTMAEForPreTraining.from_pretrained(tmp_path / "mae")
        assert mae.config.norm_pix_loss is expected
    rmae.load(run).save_pretrained(tmp_path / "saved")
    done("export", "transformers", tmp_path / "saved", tmp_path / "mae", "--architecture", "vit_mae")
    assert json.loads((tmp_path / "mae" / "config.json").read_text())["norm_pix_loss"] is True


def test_detectron2_is_told_its_settings(made_run: Path, tmp_path: Path, done: Done):
    said = done("export", "detectron2", made_run, tmp_path / "vitdet.pth")
    lines = said.splitlines()
    assert lines[0] == f"exported: {tmp_path / 'vitdet.pth'}"
    assert "  model.backbone.net.pretrain_img_size = 32" in lines
    assert "  model.backbone.net.window_block_indexes = []" in lines
    assert rmae.load(tmp_path / "vitdet.pth").config == rmae.load(made_run).config


def test_the_reference_gets_every_part(made_run: Path, tmp_path: Path, done: Done):
    done("export", "reference", made_run, tmp_path / "rmae.pth")
    ours, theirs = rmae.load(made_run), rmae.load(tmp_path / "rmae.pth")
    assert theirs.region_branch is not None
    assert all(torch.equal(weight, theirs.state_dict()[name]) for name, weight in ours.state_dict().items())


def test_bare_weights_need_their_heads(official_file: Path, tmp_path: Path, complaint: Complaint, done: Done):
    out = tmp_path / "vit"
    assert "48 wide, which does not tell their number of heads" in complaint(
        "export", "timm", official_file, out, code=1
    )
    done("export", "timm", official_file, out, "--num-heads", "3")
    assert rmae.load(out).config.num_heads == 3


def test_statistics_can_be_given(official_file: Path, tmp_path: Path, done: Done):
    flags = ["--pixel-mean", "0.1", "0.2", "0.3", "--pixel-std", "0.4", "0.5", "0.6"]
    done("export", "timm", official_file, tmp_path / "vit", "--num-heads", "3", *flags)
    model = rmae.load(tmp_path / "vit")
    assert (model.pixel_mean, model.pixel_std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--pixel-mean", "0.5"], "--pixel-mean has 1 value(s), but images have 3 channels; give one for each"),
        (["--pixel-mean", "nan", "1", "1"], "--pixel-mean is (nan, 1.0, 1.0); each value must be finite"),
        (["--pixel-std", "0", "1", "1"], "--pixel-std is (0.0, 1.0, 1.0); each value must be above 0"),
        (["--img-size", "30"], "img_size 30 is not divisible by patch_size 8; the nearest that are: 24 or 32"),
        (["--architecture", "vit_mae", "--img-size", "16", "32"], "the model is for images of 16 x 32 pixels"),
    ],
)
def test_what_does_not_go_is_said(
    made_run: Path, tmp_path: Path, complaint: Complaint, flags: list[str], sentence: str
):
    said = complaint("export", "transformers", made_run, tmp_path / "vit", *flags, code=1)
    assert said.startswith(sentence)
    assert not (tmp_path / "vit").exists()


@pytest.mark.parametrize("target", ["timm", "transformers", "detectron2", "reference"])
@pytest.mark.parametrize("source", ["./runs/coco", "nothing/at/all", "mae.pth", "a folder/mae.pth"])
def test_a_source_that_is_not_there_is_said(
    target: str, source: str, complaint: Complaint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    said = complaint("export", target, source, "out.pth", code=1)
    assert said.startswith(f"there is nothing at {source}; give a run, a checkpoint")


@pytest.mark.parametrize("target", ["timm", "transformers", "detectron2", "reference"])
def test_the_help_names_the_operands(target: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        cli.run(["export", target, "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert f"usage: rmae export {target} [-h] [OPTIONS] SOURCE OUT" in printed
    assert "--img-size" in printed


def test_targets_that_are_none_are_wrong_usage(complaint: Complaint):
    assert "there is no command 'export onnx'" in complaint("export", "onnx", code=2)
