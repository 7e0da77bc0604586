"""How commands answer data, folders and machines that they cannot work with: one line, exit code 1."""

import json
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from started_commands import started

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
Complaint = Callable[..., str]


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


def test_data_must_fill_a_batch(tiny_flags: list[str], photo_folder: Path, tmp_path: Path, complaint: Complaint):
    said = complaint(
        "pretrain", "--data", photo_folder, "--out", tmp_path / "run", *tiny_flags, "--batch-size", "6", code=1
    )

    assert said.startswith("the data hold 5 samples an epoch, fewer than one batch of 6")


def test_missing_accelerator_is_named(tiny_flags: list[str], environment: dict[str, str], tmp_path: Path):
    ended = subprocess.run(
        [RMAE, "pretrain", "--out", tmp_path / "run", *tiny_flags, "--accelerator", "gpu"],
        capture_output=True, text=True, env=environment | {"CUDA_VISIBLE_DEVICES": ""},  # here there is none
    )  # fmt: skip

    assert ended.returncode == 1
    assert ended.stderr == "rmae: accelerator is gpu, but torch finds no CUDA device here; take auto or cpu\n"


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
    way_out = "if the checkpoint is damaged, delete it to go on from the one before, update_000000002"
    assert complaint("pretrain", "--resume", "--out", finished_run, code=1) == f"{sentence}; {way_out}"


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


def test_images_must_be_readable(tiny_flags: list[str], unreadable_photos: Path, tmp_path: Path, complaint: Complaint):
    said = complaint("pretrain", "--data", unreadable_photos, "--out", tmp_path / "run", *tiny_flags, code=1)

    assert said.startswith(
        f"no image in {unreadable_photos} can be used; the first, 0.png: it is not an image in a form"
    )


def test_images_of_a_run_without_regions_must_be_readable_too(
    tiny_flags: list[str], unreadable_photos: Path, tmp_path: Path, complaint: Complaint
):
    flags = [*tiny_flags, "--task", "mae"]
    said = complaint("pretrain", "--data", unreadable_photos, "--out", tmp_path / "run", *flags, code=1)

    assert said.startswith(f"50 images drawn in a row from {unreadable_photos} could not be used; the last, ")


@pytest.mark.slow
def test_error_in_a_worker_is_one_line_and_leaves_nothing_running(
    tiny_flags: list[str], environment: dict[str, str], unreadable_photos: Path, tmp_path: Path
):
    done = subprocess.run(
        [
            RMAE, "pretrain", "--data", unreadable_photos, "--out", tmp_path / "run", *tiny_flags,
            "--num-workers", "1", "--task", "mae",
        ],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"rmae: 50 images drawn in a row from {unreadable_photos} could not be used")


def test_hint_when_memory_runs_out(tiny_flags: list[str], photo_folder: Path, tmp_path: Path, complaint: Complaint):
    too_wide = ["--embed-dim", str(4 * 10**6)]

    said = complaint("pretrain", "--data", photo_folder, "--out", tmp_path / "run", *tiny_flags, *too_wide, code=1)

    assert said.startswith("out of memory: raise --accumulate")


NOWHERE = "/proc/sys/kernel/rmae"  # nobody can make a file there, root neither


@pytest.mark.parametrize(
    "command",
    [
        ("pretrain", "--data", "DATA", "--out", NOWHERE),
        ("pack", "DATA", NOWHERE),
        ("regions", "make", "DATA", NOWHERE),
        ("evaluate", "knn", "scratch", "--data", "DATA", "--out", NOWHERE),
    ],
    ids=lambda command: command[0],
)
def test_a_place_that_is_read_only_is_refused_before_anything_is_read(
    command: tuple[str, ...], tmp_path: Path, complaint: Complaint
):
    """The folder of data has no image, which nobody has noticed."""
    said = complaint(*(tmp_path if word == "DATA" else word for word in command), code=1)
    assert said.startswith("nothing can be written in /proc/sys/kernel (")
    assert said.endswith("); choose another folder")


def test_sigterm_where_there_is_nothing_to_save_is_one_line(environment: dict[str, str], tmp_path: Path):
    with started([RMAE, "scenes", tmp_path / "scenes", "--num-train", "1000000"], env=environment) as process:
        end = time.monotonic() + 60
        while not any(tmp_path.iterdir()) and time.monotonic() < end:
            time.sleep(0.01)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert said == (
        "rmae: stopped by SIGTERM; what was saved before is whole: start the same command again, with --resume where "
        "its run has begun\n"
    )
    assert list(tmp_path.iterdir()) == []
