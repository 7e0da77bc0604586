"""`rmae benchmark flops`: the table, the figures as JSON, the plot, and wrong flags."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from rmae import ModelConfig, cli
from rmae.bench.macs import count_macs

SMALL = [
    "--size", "micro", "--img-size", "64", "--depth", "1", "--decoder-embed-dim", "32", "--decoder-depth", "1",
    "--decoder-num-heads", "4", "--region-embed-dim", "32", "--num-regions", "2", "--batch-size", "2", "--repeats", "1",
]  # fmt: skip
MODEL = ModelConfig(
    size="micro", img_size=64, depth=1, decoder_embed_dim=32, decoder_depth=1, decoder_num_heads=4, region_embed_dim=32,
    num_regions=2,
)  # fmt: skip
Complaint = Callable[..., str]


@pytest.fixture
def measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[dict, str, str]]:
    """Runs the benchmark on a small model; returns its JSON and what it printed."""

    def run(*flags: str, preset: str | None = None) -> tuple[dict, str, str]:
        file = tmp_path / "costs.json"
        assert cli.run(["benchmark", "flops", *filter(None, [preset]), *SMALL, *flags, "--json", str(file)]) == 0
        said = capsys.readouterr()
        return json.loads(file.read_text()), said.out, said.err

    return run


@pytest.mark.slow
def test_a_preset_is_measured_beside_mae(measure):
    figures, printed, _ = measure(preset="rmae-reference-code")

    mae, reference = figures["rows"]
    assert (mae["name"], reference["name"], reference["mae"]) == ("MAE", "rmae-reference-code", "MAE")
    assert figures["command"].startswith("rmae benchmark flops rmae-reference-code --size micro")
    assert (figures["batch_size"], figures["device"], figures["precision"]) == (2, "cpu", "float32")
    counted = count_macs(replace(MODEL, neck_depth=8))
    assert reference["macs_forward"] == counted.forward
    assert reference["macs_backward"] == counted.backward
    assert reference["macs_region_branch"] == counted.region_branch
    assert reference["macs_neck"] == counted.neck
    both = counted.forward + counted.backward
    of_mae = count_macs(MODEL.without_regions())
    rows = [re.split("  +", line) for line in printed.splitlines()]
    assert rows[0] == ["", "MAC forward", "both passes", "region branch", "parameters", "peak memory", "step"]
    assert rows[4] == [
        "rmae-reference-code",
        f"{counted.forward / 1e6:,.1f} M",
        f"{both / 1e6:,.1f} M",
        f"{counted.region_branch / 1e6:,.1f} M",
        f"{reference['parameters'] / 1e6:,.1f} M",
        f"{reference['peak_memory_bytes'] / 1e6:,.0f} MB",
        f"{reference['step_ms']:,.0f} ms",
    ]
    assert rows[5] == [
        "",
        f"{counted.forward / of_mae.forward:.3f}",
        f"{both / (of_mae.forward + of_mae.backward):.3f}",
        f"{counted.region_branch / of_mae.forward:.2%}",
        f"{reference['parameters'] / mae['parameters']:.3f}",
        f"{reference['peak_memory_bytes'] / mae['peak_memory_bytes']:.3f}",
        f"{reference['step_over_mae']:.3f}",
    ]
    assert printed.rstrip().endswith("MACs are those of one image; a step has 2 images, on the CPU, threads: 1.")


@pytest.mark.slow
def test_threads_and_precision_are_those_asked_for(measure):
    before = torch.get_num_threads()
    try:
        coarse, printed, _ = measure("--num-threads", "2", "--precision", "bf16", "--batch-size", "64")
    finally:
        torch.set_num_threads(before)
    fine, _, _ = measure("--batch-size", "64")
    assert (coarse["threads"], coarse["precision"], fine["threads"]) == (2, "bf16", 1)
    assert printed.rstrip().endswith("a step has 64 images, on the CPU, threads: 2.")
    assert coarse["rows"][1]["peak_memory_bytes"] < fine["rows"][1]["peak_memory_bytes"]  # activations of half the size


@pytest.mark.slow
def test_all_combinations_that_make_a_model_are_measured(measure):
    figures, _, notes = measure("--vary", "region-variant=length,batch", "feeding=none,both", "balance-area=true")

    assert [row["name"] for row in figures["rows"]] == [
        "MAE",
        "region-variant length, feeding none, balance-area true",
        "region-variant length, feeding both, balance-area true",
        "region-variant batch, feeding none, balance-area true",
    ]
    refused = (
        "left out region-variant batch, feeding both, balance-area true: feeding is both, but region_variant batch"
    )
    assert refused in notes
    blind = [replace(MODEL, feeding="none", region_variant=variant) for variant in ("length", "batch")]
    counted = [count_macs(model, batch_size=2).forward for model in blind]
    assert [figures["rows"][place]["macs_forward"] for place in (1, 3)] == counted


@pytest.mark.slow
def test_models_of_other_pixel_decoders_have_other_maes(measure):
    figures, _, _ = measure("--vary", "decoder-depth=1,2", "neck-depth=1,2,2")
    first, second = (f"MAE for decoder-depth {depth}, neck-depth 1" for depth in (1, 2))
    assert [(row["name"], row["mae"]) for row in figures["rows"]] == [
        (first, first),
        ("decoder-depth 1, neck-depth 1", first),
        ("decoder-depth 1, neck-depth 2", first),
        (second, second),
        ("decoder-depth 2, neck-depth 1", second),
        ("decoder-depth 2, neck-depth 2", second),
    ]
    assert figures["rows"][3]["macs_forward"] > figures["rows"][0]["macs_forward"]
    assert figures["rows"][3]["macs_over_mae"] == 1


@pytest.mark.slow
def test_mae_is_measured_by_itself(measure):
    figures, _, _ = measure(preset="mae-coco-vit-b")
    assert [row["name"] for row in figures["rows"]] == ["MAE"]
    assert figures["rows"][0]["step_ms"] > 0
    assert figures["rows"][0]["macs_region_branch"] == 0


@pytest.mark.slow
def test_cost_is_counted_and_drawn_for_1_to_64_regions(measure, tmp_path: Path):
    figures, _, _ = measure("--plot", str(tmp_path / "costs.png"))
    by_number = figures["macs_over_mae_by_num_regions"]
    assert list(by_number) == ["length", "batch", "channel"]
    for costs in by_number.values():
        assert list(costs) == ["1", "2", "4", "8", "16", "32", "64"]
        assert list(costs.values()) == sorted(costs.values())
    assert by_number["length"]["2"] == figures["rows"][1]["macs_over_mae"]
    with Image.open(tmp_path / "costs.png") as picture:
        assert picture.size == (1120, 720)


def test_where_regions_feed_pixels_only_length_is_counted(measure):
    figures, _, _ = measure("--feeding", "both")
    assert list(figures["macs_over_mae_by_num_regions"]) == ["length"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["rmae-coco-vit-b"], "there is no preset 'rmae-coco-vit-b' (did you mean mae-coco-vit-b?)"),
        (["--batch-size", "0"], "--batch-size is 0; it must be at least 1"),
        (["--repeats", "0"], "--repeats is 0; it must be at least 1"),
        (["--num-threads", "-1"], "--num-threads is -1; it must be at least 1"),
        (["--plot", "costs.pdf"], "--plot is costs.pdf; its name must end in .png or .svg"),
        (["--vary", "neck-depth"], "--vary has 'neck-depth'; write a knob and its values, as in neck-depth=1,8"),
        (["--vary", "neck-depth="], "--vary has 'neck-depth='; write a knob and its values, as in neck-depth=1,8"),
        (["--vary", "nack-depth=1"], "--vary has no knob 'nack-depth' (did you mean neck-depth?)"),
        (["--vary", "neck-depth=1", "neck_depth=2"], "--vary names neck-depth twice; give all of its values at once"),
        (["--vary", "neck-depth=1,x"], "--neck-depth: invalid literal for int() with base 10: 'x'; see rmae benchmark"),
        (["--vary", "feeding=none,nothing"], "invalid choice 'nothing' for argument '--feeding'. Expected one of"),
        (["--vary", "neck-depth=0"], "--vary leaves no model to measure; left out neck-depth 0: neck_depth is 0; it"),
        (["--json", "."], "--json is ., which is a folder; name a file"),
        (["--plot", "nowhere/costs.png"], "--plot is nowhere/costs.png, but there is no folder nowhere; make it first"),
        (["--feeding", "both", "--region-variant", "batch"], "feeding is both, but region_variant batch has no tokens"),
    ],
)
def test_wrong_flags_are_explained(flags: list[str], sentence: str, complaint: Complaint):
    assert complaint("benchmark", "flops", *flags, code=2).startswith(sentence)


def test_a_device_that_is_not_there_is_refused(complaint: Complaint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    sentence = "accelerator is gpu, but torch finds no CUDA device here; take auto or cpu"
    assert complaint("benchmark", "flops", "--accelerator", "gpu", code=1) == sentence


def test_without_memory_a_cure_is_named_that_the_command_has(complaint: Complaint, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("rmae.bench.costs.measure_costs", fail)
    sentence = "out of memory: take a smaller --batch-size, --img-size or --size"
    assert complaint("benchmark", "flops", *SMALL, code=1) == sentence


def test_help_names_every_knob_of_model_and_losses(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        cli.run(["benchmark", "flops", "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: rmae benchmark flops [PRESET]")
    for flag in ("--vary", "--json", "--plot", "--region-variant", "--feeding", "--masking", "--balance-area"):
        assert flag in printed
