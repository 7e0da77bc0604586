"""Two processes on one machine: the same weights and scores as one gives."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import rmae
from rmae import cli

pytestmark = pytest.mark.slow

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
FLAGS = [
    "--img-size", "32", "--scratch-size", "micro", "--scratch-patch-size", "16", "--num-workers", "0", "--accelerator",
    "cpu", "--precision", "float64", "--num-threads", "1",
]  # fmt: skip
TRAINED = [
    "--updates", "4", "--batch-size", "8", "--accumulate", "2", "--log-every", "1", "--evaluate-every", "2",
    "--base-lr", "0.1",
]  # fmt: skip
ALIKE = ["--mixup", "0", "--cutmix", "0", "--drop-path", "0"]  # what each process draws for itself


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shapes"
    return rmae.make_class_scenes(folder, num_train=21, num_val=7, size_hw=(32, 32))


def arguments(task: str, data: Path, out: Path, *flags: str) -> list[str]:
    return ["evaluate", task, "scratch", "--data", str(data), "--out", str(out), *FLAGS, *flags]


def scores(out: Path) -> dict[str, float]:
    saved = json.loads((out / "results.json").read_text())["scores"]
    return {name: score["mean"] for name, score in saved.items()}


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("knn", []),
        ("linear", [*TRAINED, "--optimizer-name", "lars"]),
        ("finetune", [*TRAINED, *ALIKE, "--augment-magnitude", "9", "--erase", "0.5"]),
    ],
)
def test_two_processes_are_as_one(task, flags, shapes, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert cli.run(arguments(task, shapes, alone, *flags)) == 0
    command = [RMAE, *arguments(task, shapes, together, *flags, "--devices", "2")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")

    assert scores(together) == scores(alone)
    if task == "knn":
        return
    ours, theirs = newest(together), newest(alone)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        scale = tensor.abs().max()
        assert (ours[name] - tensor).abs().max() <= 1e-9 * scale, name


def newest(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(max((folder / "checkpoints").iterdir()) / "model.safetensors")
