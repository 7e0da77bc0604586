"""Whole runs from the command line, stopped and resumed too."""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rmae import cli
from rmae.models.weights import newest_checkpoint
from started_commands import started

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
RUN_FILES = {
    "config.json", "images.jsonl", "metrics.jsonl", "tensorboard", "checkpoints", "report.html", "skipped_images.jsonl",
}  # fmt: skip
Complaint = Callable[..., str]


def test_pretrain_leaves_a_run_and_names_its_report(
    tiny_flags: list[str], environment: dict[str, str], photo_folder: Path, tmp_path: Path
):
    out = tmp_path / "run"

    done = subprocess.run(
        [RMAE, "pretrain", "--data", photo_folder, "--out", out, *tiny_flags],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"report: {out / 'report.html'}"
    made, stored, described, *_ = done.stdout.splitlines()
    assert made.startswith("regions of 5 of 5 images, ")
    assert stored.startswith(f"regions: {out.parent / 'regions' / photo_folder.name}-felzenszwalb-")
    assert described.startswith("demo: rmae with ")
    assert "update 4/4" in done.stdout
    assert {path.name for path in out.iterdir()} == RUN_FILES
    assert [json.loads(line)["update"] for line in (out / "metrics.jsonl").read_text().splitlines()] == [2, 4]
    assert {path.name for path in (out / "checkpoints").iterdir()} == {"update_000000002", "update_000000004"}
    assert any((out / "tensorboard").iterdir())
    assert (out / "skipped_images.jsonl").read_text() == ""


def test_flags_end_up_in_the_configuration(tiny_flags: list[str], photo_folder: Path, tmp_path: Path):
    flags = [
        *tiny_flags, "--task", "rae", "--img-size", "32", "48", "--regions", "felzenszwalb --scales 50 100 --sigma 0.5",
        "--region-area", "0.1", "0.9", "--measure-statistics", "--keep-every", "None", "--clip-grad", "1",
    ]  # fmt: skip

    assert cli.run(["pretrain", "--data", str(photo_folder), "--out", str(tmp_path / "run"), *flags]) == 0

    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["data"] == str(photo_folder)
    config = saved["config"]
    assert (config["model"]["task"], config["model"]["img_size"]) == ("rae", [32, 48])
    assert config["data"]["regions"] == {
        "kind": "felzenszwalb", "scales": [50, 100], "sigma": 0.5, "min_sizes": None,
        "short_side": None,
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


def test_resuming_keeps_the_runs_settings_whatever_preset_is_named(finished_run: Path):
    before = json.loads((finished_run / "config.json").read_text())["config"]
    assert cli.run(["pretrain", "demo", "--resume", "--out", str(finished_run)]) == 0
    assert json.loads((finished_run / "config.json").read_text())["config"] == before


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
def test_training_goes_on_where_nobody_hears_it_any_more(
    tiny_flags: list[str], photo_folder: Path, environment: dict[str, str], tmp_path: Path
):
    """As where a log file's `tee` was ended with its terminal."""
    command = [RMAE, "pretrain", "--data", photo_folder, "--out", tmp_path / "run", *tiny_flags]
    with started([*command, "--updates", "30", "--log-every", "1"], env=environment) as training:
        assert training.stdout is not None
        assert training.stderr is not None
        while "update" not in training.stdout.readline():
            assert training.poll() is None
        training.stdout.close()
        assert training.stderr.read() == ""
        assert training.wait() == 0
    assert (tmp_path / "run" / "report.html").exists()
    assert newest_checkpoint(tmp_path / "run") == tmp_path / "run" / "checkpoints" / "update_000000030"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_stopped_by_a_signal_goes_on_as_if_it_had_not(
    tiny_flags: list[str], environment: dict[str, str], number: signal.Signals, photo_folder: Path, tmp_path: Path
):
    long = [*tiny_flags, "--data", photo_folder, "--updates", "300", "--log-every", "7", "--checkpoint-every", "1000"]
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "run"
    subprocess.run([RMAE, "pretrain", "--out", undisturbed, *long], check=True, capture_output=True, env=environment)

    with started([RMAE, "pretrain", "--out", out, *long, "--num-workers", "1"], env=environment) as process:
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
        [RMAE, "pretrain", "--resume", "--out", out], capture_output=True, text=True, env=environment
    )

    assert (resumed.returncode, resumed.stderr) == (0, "")
    expected, found = newest_tensors(undisturbed), newest_tensors(out)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert losses(out) == losses(undisturbed)


@pytest.mark.slow
def test_death_of_a_worker_is_one_line(
    tiny_flags: list[str], environment: dict[str, str], photo_folder: Path, tmp_path: Path
):
    flags = [*tiny_flags, "--updates", "100000", "--num-workers", "1"]
    with started(
        [RMAE, "pretrain", "--data", photo_folder, "--out", tmp_path / "run", *flags], env=environment
    ) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("update"))
        for worker in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(worker), signal.SIGKILL)  # as the kernel does where memory runs out
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert said.startswith("rmae: a process that reads images was ended from outside, perhaps because memory ran out")


def test_a_run_goes_on_where_files_are_gone_or_new(
    tiny_flags: list[str], photo_folder: Path, tmp_path: Path, complaint: Complaint
):
    run, going_on = tmp_path / "run", ["pretrain", "--resume", "--out", str(tmp_path / "run")]
    assert cli.run(["pretrain", "--data", str(photo_folder), "--out", str(run), *tiny_flags]) == 0
    first, second, *_ = [json.loads(line) for line in (run / "images.jsonl").read_text().splitlines()]
    (photo_folder / first).rename(photo_folder / "new.png")

    assert cli.run([*going_on, "--updates", "6"]) == 0

    skipped = [json.loads(line) for line in (run / "skipped_images.jsonl").read_text().splitlines()]
    assert skipped == [{"name": first, "reason": "the file is missing"}]
    (photo_folder / second).unlink()
    said = complaint(*going_on, "--updates", "8", code=1)
    assert said.startswith(f"the run in {run} was trained on other images (5 images, sha256 ")


def newest_tensors(run: Path) -> dict[str, torch.Tensor]:
    """Weights and moments of a run's newest checkpoint."""
    return load_file(max((run / "checkpoints").iterdir()) / "model.safetensors")


def losses(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_s"} for line in lines]
