"""What commands print, and how they answer flags that make no sense."""

import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from rmae import cli
from rmae.config import PretrainConfig
from rmae.presets import PRESETS

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
Complaint = Callable[..., str]


# What the commands print


def test_overview_lists_the_commands(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["--help"]) == 0

    printed = capsys.readouterr()
    assert printed.out.startswith("usage: rmae COMMAND")
    assert all(f"\n  {command}" in printed.out for command in ("pretrain", "report", "presets"))
    assert printed.err == ""


def test_no_command_is_wrong_usage_and_shows_the_overview(capsys: pytest.CaptureFixture[str]):
    assert cli.run([]) == 2
    assert capsys.readouterr().out.startswith("usage: rmae COMMAND")


def test_main_exits_with_the_code(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["rmae", "pretrane"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2


def knobs(kind: Any) -> list[str]:
    return [name for f in fields(kind) for name in (knobs(f.type) if is_dataclass(f.type) else [f.name])]


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.run([command, "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_help_of_pretrain_explains_every_knob_and_every_preset(capsys: pytest.CaptureFixture[str]):
    printed = help_of("pretrain", capsys)

    names = [*knobs(PretrainConfig), "data", "out", "resume"]
    assert len(names) > 50
    described = set(re.findall(r"^\W*--(?:no-)?([a-z-]+)", printed, flags=re.MULTILINE))
    assert {name.replace("_", "-") for name in names} - described == set()
    assert [name for name in PRESETS if f"\n{name}: " not in printed] == []


def test_help_of_pretrain_shows_the_defaults_of_the_preset(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.run(["pretrain", "rmae-coco-vit-b-sam", "--help"])

    words = capsys.readouterr().out.replace("│", " ").split()
    assert "(default: 'sam-json --folder sam_masks')" in " ".join(words)


@pytest.mark.parametrize(("command", "option"), [("report", "--data"), ("presets", "--help")])
def test_help_of_the_other_commands(command: str, option: str, capsys: pytest.CaptureFixture[str]):
    printed = help_of(command, capsys)

    assert f"usage: rmae {command}" in printed
    assert option in printed


def test_presets_are_listed_with_their_parameters(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["presets"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    parameters = {line.split()[0]: line.split()[1] for line in lines}
    assert parameters["mae-coco-vit-b"] == "111,655,680"
    assert parameters["rmae-reference-code"] == "113,737,728"


@pytest.mark.parametrize("arguments", [["--help"], ["pretrain", "--help"], ["report", "--help"], ["pretrane"]])
def test_help_and_typing_mistakes_do_not_wait_for_torch(arguments: list[str]):
    program = (
        "import sys; from rmae.cli import run\n"
        f"try: run({arguments})\n"
        "except SystemExit: pass\n"
        "sys.exit(7 if 'torch' in sys.modules else 0)"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


# Wrong usage


def test_unknown_command_is_answered_with_the_nearest(complaint: Complaint):
    assert complaint("pretrian", code=2) == "there is no command 'pretrian' (did you mean pretrain?)"


def test_command_like_none_is_answered_with_all(complaint: Complaint):
    said = complaint("xyz", code=2)
    assert said.startswith("there is no command 'xyz' (there are: pretrain, report, presets, regions make, ")


def test_unknown_preset_is_answered_with_the_nearest(complaint: Complaint):
    said = complaint("pretrain", "rmae-coco-vit-b", code=2)

    assert said == "there is no preset 'rmae-coco-vit-b' (did you mean mae-coco-vit-b?)"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--epoch", "3"], "there is no option --epoch (did you mean --epochs?); see rmae pretrain --help"),
        (
            ["demo", "extra"],
            "there is no option extra (options start with --, and a preset comes before them)",
        ),
        (["--batch-size", "many"], "--batch-size: invalid literal for int() with base 10: 'many'"),
        (["--num-regions"], "Missing value for argument '--num-regions'."),
        (["--task", "beit"], "invalid choice 'beit' for argument '--task'. Expected one of ('mae', 'rae', 'rmae')"),
        (["--mask-ratio", "1.5"], "mask_ratio is 1.5; it must lie between 0 and 1, both excluded"),
        (["--img-size", "100"], "img_size 100 is not divisible by patch_size 12; the nearest that are: 96 or 108"),
        (["--epochs", "3"], "epochs is 3.0 and updates is 750; give one of them and None for the other"),
        (["--channels", "1"], "channels is 1 but pixel_mean has 3 value(s); give one mean and"),
        (["--regions", "none"], "the task is rmae but regions is None; name a source of regions, or take the task mae"),
        (
            ["--regions", "superpixels"],
            "--regions: there is no source of regions 'superpixels' (there are: coco-",
        ),
        (["--regions", "felzenswalb"], "--regions: there is no source of regions 'felzenswalb' (did you mean felzens"),
        (["--regions", ""], "--regions: there is no source of regions ''"),
        (["--regions", "felzenszwalb --scale 3"], "there is no option --scale (did you mean --scales?)"),
        (["--regions", "felzenszwalb --sigma -1"], "sigma is -1.0; it must be finite and >= 0 pixels"),
        (["--regions", "sam-json"], "Missing from rmae ... sam-json: --folder"),
        (["--regions", "live grid --rows 0"], "rows is 0"),
        (["--resume", "--out"], "Missing value for argument '--out'."),
    ],
)
def test_wrong_flag_is_answered_in_one_line(flags: list[str], sentence: str, complaint: Complaint):
    said = complaint("pretrain", *flags, code=2)

    assert said.startswith(sentence)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_wrong_flag_is_answered_alike_on_any_terminal(environment: dict[str, str], encoding: str):
    done = subprocess.run(
        [RMAE, "pretrain", "--batch-size", "many"],
        capture_output=True, text=True, env={**environment, "PYTHONIOENCODING": encoding},
    )  # fmt: skip

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "rmae: --batch-size: invalid literal for int() with base 10: 'many'; see rmae pretrain --help\n"
    )


@pytest.mark.parametrize("flag", ["--compile", "--no-compile", "--normalize-pixels", "--no-normalize-pixels"])
@pytest.mark.parametrize("preset", ["demo", "mae-coco-vit-b"])  # the one does not compile, the other does
def test_switches_can_be_set_either_way(flag: str, preset: str, tmp_path: Path, complaint: Complaint):
    nowhere = tmp_path / "nowhere"

    assert complaint("pretrain", preset, flag, "--data", nowhere, code=1) == f"the data folder {nowhere} does not exist"


def test_wrong_flags_of_the_other_commands(complaint: Complaint):
    assert "rmae report" in complaint("report", code=2)
    assert complaint("report", "run", "--date", "d", code=2).startswith(
        "there is no option --date (did you mean --data"
    )
    assert complaint("presets", "--all", code=2).startswith("there is no option --all")
