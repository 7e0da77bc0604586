"""`rmae benchmark train`: the table, the figures as JSON, the profile, and wrong flags."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae import ModelConfig, cli
from rmae.bench.macs import count_macs

SMALL = [
    "--size", "micro", "--img-size", "32", "--depth", "1", "--decoder-embed-dim", "32", "--decoder-depth", "1",
    "--decoder-num-heads", "4", "--region-embed-dim", "32", "--num-regions", "2", "--batch-size", "8", "--repeats", "1",
    "--seconds", "0.001", "--num-workers", "0", "--regions", "grid", "--accelerator", "cpu",
]  # fmt: skip
MODEL = ModelConfig(
    size="micro", img_size=32, depth=1, decoder_embed_dim=32, decoder_depth=1, decoder_num_heads=4, region_embed_dim=32,
    num_regions=2,
)  # fmt: skip
Complaint = Callable[..., str]


@pytest.fixture
def measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict, str]]:
    """Runs the benchmark on a small model; returns its JSON and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*flags: str | Path) -> tuple[dict, str]:
        arguments = ["benchmark", "train", *SMALL, *map(str, flags), "--json", "speed.json"]
        assert cli.run(arguments) == 0
        return json.loads(Path("speed.json").read_text()), capsys.readouterr().out

    return run


@pytest.mark.slow
def test_a_model_is_timed_beside_mae(measure):
    figures, printed = measure()

    assert figures["command"].startswith("rmae benchmark train --size micro --img-size 32")
    assert (figures["batch_size"], figures["precision"], figures["device"], figures["data"]) == (
        8, "float32", "cpu", None,
    )  # fmt: skip
    assert {"processor", "packages", "commit"} <= figures["machine"].keys()
    assert figures["compiled_over_eager"] is None
    this, mae, real = figures["rows"]
    macs = count_macs(MODEL, batch_size=8)
    assert this["macs"] == macs._asdict()
    for row in (this, real):
        flops_per_s = 2 * (macs.forward + macs.backward) * row["images_per_s"]
        assert row["mfu"] == pytest.approx(flops_per_s / figures["matmul_flops_per_s"])
        assert row["images_per_s"] == pytest.approx(8 / (row["step_ms"] / 1000))
    assert (figures["images_per_s"], figures["mfu"]) == (this["images_per_s"], this["mfu"])
    assert figures["rmae_over_mae"] == pytest.approx(this["step_ms"] / mae["step_ms"])  # of the only round
    assert figures["peak_memory_bytes"] == this["peak_memory_bytes"]

    lines = [re.split("  +", line) for line in printed.splitlines()]
    assert lines[0] == ["", "forward half", "data", "step", "images/s", "MFU", "peak memory"]
    assert lines[1] == [
        "R-MAE", "not compiled", "synthetic", f"{this['step_ms']:,.0f} ms", f"{this['images_per_s']:,.1f}",
        f"{this['mfu']:.1%}", f"{this['peak_memory_bytes'] / 1e6:,.0f} MB",
    ]  # fmt: skip
    assert lines[3][:3] == ["R-MAE", "not compiled", "real"]
    assert f"A step takes {figures['rmae_over_mae']:.3f} times as long as MAE's." in printed
    assert "A step has 8 images, in float32 on cpu." in printed


@pytest.mark.slow
def test_any_folder_and_precision_are_taken(measure, photo_folder: Path, tmp_path: Path):
    figures, printed = measure("--data", photo_folder, "--precision", "bf16", "--profile", tmp_path / "profile.txt")
    assert (figures["data"], figures["precision"]) == (str(photo_folder), "bf16")
    assert figures["real_over_synthetic"] > 0
    assert f"Real data give {figures['real_over_synthetic']:.1%} of the images a second of synthetic data." in printed
    assert "aten::" in (tmp_path / "profile.txt").read_text()


@pytest.mark.slow
def test_compiled_is_timed_beside_eager(measure):
    figures, printed = measure("--compile", "both")
    assert [row["compiled"] for row in figures["rows"]] == [False, False, True, True, True]
    assert figures["images_per_s"] == figures["rows"][2]["images_per_s"]
    assert figures["compiled_over_eager"] > 0
    assert f"Compiling gives {figures['compiled_over_eager']:.3f} times the images a second." in printed


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["rmae-coco-vit-b"], "there is no preset 'rmae-coco-vit-b' (did you mean mae-coco-vit-b?)"),
        (["--batch-size", "0"], "--batch-size is 0; it must be at least 1"),
        (["--repeats", "0"], "--repeats is 0; it must be at least 1"),
        (["--num-threads", "-1"], "--num-threads is -1; it must be at least 1"),
        (["--seconds", "0"], "--seconds is 0.0; it must be a number above 0"),
        (["--compile", "yes"], "invalid choice 'yes' for argument '--compile'. Expected one of"),
        (["--json", "."], "--json is ., which is a folder; name a file"),
        (["--profile", "nowhere/p.txt"], "--profile is nowhere/p.txt, but there is no folder nowhere; make it first"),
        (["--feeding", "both", "--region-variant", "batch"], "feeding is both, but region_variant batch has no tokens"),
    ],
)
def test_wrong_flags_are_explained(flags: list[str], sentence: str, complaint: Complaint):
    assert complaint("benchmark", "train", *flags, code=2).startswith(sentence)


def test_a_device_that_is_not_there_is_refused(complaint: Complaint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    sentence = "accelerator is gpu, but torch finds no CUDA device here; take auto or cpu"
    assert complaint("benchmark", "train", "--accelerator", "gpu", code=1) == sentence


def test_a_folder_that_is_not_there_is_refused_before_anything_is_measured(complaint: Complaint, tmp_path: Path):
    said = complaint("benchmark", "train", *SMALL, "--data", tmp_path / "nowhere", code=1)
    assert said == f"the data folder {tmp_path / 'nowhere'} does not exist"


def test_help_tells_the_defaults_without_a_gpu(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        cli.run(["benchmark", "train", "--help"])
    assert stopped.value.code == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert printed.startswith("usage: rmae benchmark train [PRESET]")
    assert "1024 on a GPU, 4 without one" in printed
    for flag in ("--compile", "--profile", "--num-workers", "--region-store", "--feeding", "--balance-area"):
        assert flag in printed
