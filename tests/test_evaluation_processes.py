"""Evaluations of two processes on one machine: the same weights as one process gives."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import rmae

pytestmark = pytest.mark.slow

RMAE = Path(sysconfig.get_path("scripts")) / "rmae"
FLAGS = [
    "--img-size", "64", "--scratch-size", "micro", "--scratch-patch-size", "16", "--num-workers", "0",
    "--drop-path", "0", "--accelerator", "cpu", "--num-threads", "1", "--precision", "float64", "--updates", "3",
    "--batch-size", "4", "--log-every", "1", "--checkpoint-every", "3",
]  # fmt: skip
SECONDS = 150


def evaluate(task: str, data: Path, out: Path, *flags: str) -> Path:
    command = [RMAE, "evaluate", task, "scratch", "--data", data, "--out", out, *FLAGS, *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=SECONDS)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("report: ") == 1
    return out


@pytest.mark.parametrize("task", ["linear", "finetune", "segment"])
def test_two_processes_give_the_weights_and_scores_of_one(task: str, tmp_path: Path):
    if task == "segment":
        data = rmae.make_scenes(tmp_path / "data", num_train=8, num_val=3, size_hw=(64, 64))
        flags = ["--head-dropout", "0"]
    else:
        data = rmae.make_class_scenes(tmp_path / "data", num_train=9, num_val=5, size_hw=(64, 64))
        flags = []
    alone = evaluate(task, data, tmp_path / "alone", *flags)
    together = evaluate(task, data, tmp_path / "together", *flags, "--devices", "2")
    found, expected = (
        load_file(max((run / "checkpoints").iterdir()) / "model.safetensors") for run in (together, alone)
    )
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=0, atol=1e-9 * max(1e-3, tensor.abs().max().item()), msg=name
        )
    scores = [json.loads((run / "results.json").read_text())["scores"] for run in (together, alone)]
    assert scores[0] == scores[1]


def test_two_processes_detect(tmp_path: Path):
    """Each draws other boxes to learn from than one process would; they agree all the same."""
    data = rmae.make_scenes(tmp_path / "data", num_train=8, num_val=3, size_hw=(64, 64))
    run = evaluate("detect", data, tmp_path / "run", "--devices", "2", "--precision", "float32")
    assert set(json.loads((run / "results.json").read_text())["scores"]) >= {"box_ap", "mask_ap"}
    assert (run / "report.html").exists()
