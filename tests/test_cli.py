import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rmae import cli
from rmae.config import PretrainConfig
from rmae.presets import PRESETS

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
TINY = [
    "--img-size", "32", "--patch-size", "8", "--embed-dim", "32", "--depth", "1", "--num-heads", "2",
    "--decoder-embed-dim", "32", "--decoder-depth", "1", "--decoder-num-heads", "2", "--region-embed-dim", "16",
    "--region-encoder-num-heads", "2", "--region-decoder-num-heads", "2", "--crops-per-image", "1",
    "--num-workers", "0", "--batch-size", "4", "--updates", "4", "--log-every", "2", "--checkpoint-every", "2",
]  # fmt: skip
RUN_FILES = {"config.json", "metrics.jsonl", "tensorboard", "checkpoints", "report.html", "skipped_images.jsonl"}

Complaint = Callable[..., str]


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Runs a command that must fail with an exit code; returns the one line that it says."""

    def run(*arguments: str | Path, code: int) -> str:
        capsys.readouterr()
        assert cli.run([str(argument) for argument in arguments]) == code
        said = capsys.readouterr().err
        assert said.startswith("rmae: ")
        assert said.endswith("\n")
        assert len(said.splitlines()) == 1
        return said.removeprefix("rmae: ").rstrip("\n")

    return run


@pytest.fixture(scope="module")
def made_run(lasting_photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "run"
    assert cli.run(["pretrain", "--data", str(lasting_photo_folder), "--out", str(out), *TINY]) == 0
    return out


@pytest.fixture
def finished_run(made_run: Path, tmp_path: Path) -> Path:
    """A run of its own for each test, copied from one that was trained once."""
    return Path(shutil.copytree(made_run, tmp_path / "run"))


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


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
    assert "(default: 'sam --folder sam_masks')" in " ".join(words)


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
    assert complaint("xyz", code=2) == "there is no command 'xyz' (there are: pretrain, report, presets)"


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
        (["--regions", "superpixels"], "--regions: there is no source of regions 'superpixels' (there are: felz"),
        (["--regions", "felzenswalb"], "--regions: there is no source of regions 'felzenswalb' (did you mean felzens"),
        (["--regions", ""], "--regions: there is no source of regions ''"),
        (["--regions", "felzenszwalb --scale 3"], "there is no option --scale (did you mean --scales?)"),
        (["--regions", "felzenszwalb --sigma -1"], "sigma is -1.0; it must be finite and >= 0 pixels"),
        (["--regions", "sam"], "Missing from rmae ... --regions sam: --folder"),
        (["--resume", "--out"], "Missing value for argument '--out'."),
    ],
)
def test_wrong_flag_is_answered_in_one_line(flags: list[str], sentence: str, complaint: Complaint):
    said = complaint("pretrain", *flags, code=2)

    assert said.startswith(sentence)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_wrong_flag_is_answered_alike_on_any_terminal(encoding: str):
    done = subprocess.run(
        [RMAE, "pretrain", "--batch-size", "many"],
        capture_output=True, text=True, env={**environment(), "PYTHONIOENCODING": encoding},
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


# Failures


def test_data_folder_must_exist(tmp_path: Path, complaint: Complaint):
    said = complaint("pretrain", "--data", tmp_path / "nowhere", "--out", tmp_path / "run", code=1)

    assert said == f"the data folder {tmp_path / 'nowhere'} does not exist"
    assert not (tmp_path / "run").exists()


def test_data_folder_must_hold_an_image(tmp_path: Path, complaint: Complaint):
    (tmp_path / "notes.txt").write_text("no image")

    said = complaint("pretrain", "--data", tmp_path, "--out", tmp_path / "run", code=1)

    assert said.startswith(f"there is no image in {tmp_path}; images are files ending in .jpg")


def test_run_folder_must_be_empty(photo_folder: Path, tmp_path: Path, complaint: Complaint):
    said = complaint("pretrain", "--data", photo_folder, "--out", tmp_path, code=1)

    assert said == (
        f"the run folder {tmp_path} is not empty; choose another one (--out), or go on with the run in it (--resume)"
    )
    assert list(tmp_path.iterdir()) == [photo_folder]


def test_data_must_fill_a_batch(photo_folder: Path, tmp_path: Path, complaint: Complaint):
    said = complaint("pretrain", "--data", photo_folder, "--out", tmp_path / "run", *TINY, "--batch-size", "6", code=1)

    assert said.startswith("the data hold 5 samples an epoch, fewer than one batch of 6")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_accelerator_is_named(tmp_path: Path, complaint: Complaint):
    said = complaint("pretrain", "--out", tmp_path / "run", *TINY, "--accelerator", "gpu", code=1)

    assert said == "accelerator is gpu, but torch finds no CUDA device here; take auto or cpu"


def test_resuming_needs_the_folder_of_a_run(tmp_path: Path, complaint: Complaint):
    assert complaint("pretrain", "--resume", code=1) == "there is no run to go on with; name its folder (--out)"
    said = complaint("pretrain", "--resume", "--out", tmp_path, code=1)
    assert said == f"there is no run in {tmp_path}: config.json is missing"
    assert complaint("pretrain", "demo", "--resume", "--out", tmp_path, code=1) == said


def test_report_needs_the_folder_of_a_run(tmp_path: Path, complaint: Complaint):
    assert complaint("report", tmp_path, code=1) == f"there is no run in {tmp_path}: config.json is missing"


def test_report_needs_a_checkpoint(finished_run: Path, complaint: Complaint):
    for checkpoint in (finished_run / "checkpoints").iterdir():
        checkpoint.rename(finished_run / checkpoint.name)

    said = complaint("report", finished_run, code=1)

    assert "checkpoint" in said
    assert str(finished_run) in said


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "model", "version": 1}'])
def test_file_that_describes_no_run_is_refused(text: str, finished_run: Path, complaint: Complaint):
    (finished_run / "config.json").write_text(text)

    said = complaint("report", finished_run, code=1)

    assert said.startswith(f"{finished_run / 'config.json'} does not describe a run (")


def test_run_of_another_format_version_is_refused(finished_run: Path, complaint: Complaint):
    set_value(finished_run / "config.json", "version", 99)

    sentence = f"{finished_run} is a run of format version 99; this rmae reads version 1"
    assert complaint("report", finished_run, code=1) == sentence
    assert complaint("pretrain", "--resume", "--out", finished_run, code=1) == sentence


def test_checkpoint_of_another_format_version_is_refused(finished_run: Path, complaint: Complaint):
    checkpoint = finished_run / "checkpoints" / "update_000000004"
    set_value(checkpoint / "config.json", "version", 99)

    sentence = f"{checkpoint} is of format version 99; this rmae reads version 1"
    assert complaint("report", finished_run, code=1) == sentence
    assert complaint("pretrain", "--resume", "--out", finished_run, code=1) == sentence


def set_value(file: Path, key: str, value: Any) -> None:
    saved = json.loads(file.read_text())
    assert key in saved
    file.write_text(json.dumps({**saved, key: value}))


def test_damaged_checkpoint_is_refused(finished_run: Path, complaint: Complaint):
    tensors = finished_run / "checkpoints" / "update_000000004" / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])

    assert complaint("report", finished_run, code=1).startswith(f"{tensors} cannot be read as safetensors")


@pytest.fixture
def unreadable_photos(photo_folder: Path) -> Path:
    for photo in photo_folder.iterdir():
        photo.write_bytes(b"no image")
    return photo_folder


def test_images_must_be_readable(unreadable_photos: Path, tmp_path: Path, complaint: Complaint):
    said = complaint("pretrain", "--data", unreadable_photos, "--out", tmp_path / "run", *TINY, code=1)

    assert said.startswith(f"50 images drawn in a row from {unreadable_photos} could not be used; the last, ")


@pytest.mark.slow
def test_error_in_a_worker_is_one_line_and_leaves_nothing_running(unreadable_photos: Path, tmp_path: Path):
    done = subprocess.run(
        [RMAE, "pretrain", "--data", unreadable_photos, "--out", tmp_path / "run", *TINY, "--num-workers", "1"],
        capture_output=True, text=True, env=environment(), timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"rmae: 50 images drawn in a row from {unreadable_photos} could not be used")


def test_hint_when_memory_runs_out(photo_folder: Path, tmp_path: Path, complaint: Complaint):
    too_wide = ["--embed-dim", str(4 * 10**12)]

    said = complaint("pretrain", "--data", photo_folder, "--out", tmp_path / "run", *TINY, *too_wide, code=1)

    assert said.startswith("out of memory: raise --accumulate")


def test_failed_allocation_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert cli._is_out_of_memory(failed.value)
    assert cli._is_out_of_memory(MemoryError())
    assert cli._is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not cli._is_out_of_memory(RuntimeError("shapes do not match"))


# Runs


def test_pretrain_leaves_a_run_and_names_its_report(photo_folder: Path, tmp_path: Path):
    out = tmp_path / "run"

    done = subprocess.run(
        [RMAE, "pretrain", "--data", photo_folder, "--out", out, *TINY],
        capture_output=True, text=True, env=environment(),
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"report: {out / 'report.html'}"
    assert done.stdout.startswith("demo: rmae with ")
    assert "update 4/4" in done.stdout
    assert {path.name for path in out.iterdir()} == RUN_FILES
    assert [json.loads(line)["update"] for line in (out / "metrics.jsonl").read_text().splitlines()] == [2, 4]
    assert {path.name for path in (out / "checkpoints").iterdir()} == {"update_000000002", "update_000000004"}
    assert any((out / "tensorboard").iterdir())
    assert (out / "skipped_images.jsonl").read_text() == ""


def test_flags_end_up_in_the_configuration(photo_folder: Path, tmp_path: Path):
    flags = [
        *TINY, "--task", "rae", "--img-size", "32", "48", "--regions", "felzenszwalb --scales 50 100 --sigma 0.5",
        "--region-area", "0.1", "0.9", "--measure-statistics", "--keep-every", "None", "--clip-grad", "1",
    ]  # fmt: skip

    assert cli.run(["pretrain", "--data", str(photo_folder), "--out", str(tmp_path / "run"), *flags]) == 0

    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["data"] == str(photo_folder)
    config = saved["config"]
    assert (config["model"]["task"], config["model"]["img_size"]) == ("rae", [32, 48])
    assert config["data"]["regions"] == {
        "kind": "felzenszwalb", "scales": [50, 100], "sigma": 0.5, "min_sizes": None,
    }  # fmt: skip
    assert config["data"]["region_area"] == [0.1, 0.9]
    assert (config["run"]["keep_every"], config["optimizer"]["clip_grad"]) == (None, 1.0)


def test_resuming_takes_the_runs_own_settings(finished_run: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.run(["pretrain", "--resume", "--out", str(finished_run), "--updates", "6"]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == f"report: {finished_run / 'report.html'}"
    saved = json.loads((finished_run / "config.json").read_text())["config"]
    assert (saved["model"]["embed_dim"], saved["optimizer"]["updates"]) == (32, 6)
    lines = (finished_run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["update"] for line in lines] == [2, 4, 6]


@pytest.mark.parametrize("form", [["--out={}"], ["--out", "{}"]])
def test_folder_to_resume_is_found_in_both_forms(form: list[str], finished_run: Path):
    out = [part.format(finished_run) for part in form]

    assert cli.run(["pretrain", *out, "--resume"]) == 0
    assert json.loads((finished_run / "config.json").read_text())["config"]["model"]["img_size"] == 32


def test_resuming_with_another_model_is_refused(finished_run: Path, complaint: Complaint):
    said = complaint("pretrain", "--resume", "--out", finished_run, "--depth", "2", code=1)

    assert said == f"the run in {finished_run} has model.depth 1, not 2; a resumed run cannot change it"


def test_report_can_be_written_again(finished_run: Path, capsys: pytest.CaptureFixture[str]):
    page = finished_run / "report.html"
    first = page.read_bytes()
    page.unlink()
    capsys.readouterr()

    assert cli.run(["report", str(finished_run)]) == 0

    assert capsys.readouterr().out == f"report: {page}\n"
    assert page.read_bytes() == first


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_stopped_by_a_signal_goes_on_as_if_it_had_not(number: signal.Signals, photo_folder: Path, tmp_path: Path):
    long = [*TINY, "--data", photo_folder, "--updates", "300", "--log-every", "7", "--checkpoint-every", "1000"]
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "run"
    subprocess.run([RMAE, "pretrain", "--out", undisturbed, *long], check=True, capture_output=True, env=environment())

    with subprocess.Popen(
        [RMAE, "pretrain", "--out", out, *long, "--num-workers", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("update"))
        os.killpg(process.pid, number)  # as a terminal and Slurm do: to the workers, too
        _, said = process.communicate(timeout=120)
    assert process.returncode == 3
    assert len(said.splitlines()) == 1
    assert said.startswith(f"rmae: stopped by {number.name} after update ")
    assert max((out / "checkpoints").iterdir()).name < "update_000000300"
    assert not (out / "report.html").exists()

    resumed = subprocess.run(
        [RMAE, "pretrain", "--resume", "--out", out], capture_output=True, text=True, env=environment()
    )

    assert (resumed.returncode, resumed.stderr) == (0, "")
    expected, found = newest_tensors(undisturbed), newest_tensors(out)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert losses(out) == losses(undisturbed)


def newest_tensors(run: Path) -> dict[str, torch.Tensor]:
    """Weights and moments of a run's newest checkpoint."""
    return load_file(max((run / "checkpoints").iterdir()) / "model.safetensors")


def losses(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_s"} for line in lines]
