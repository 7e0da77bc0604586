import json

import pytest
import torch

from rmae.models.weights.records import read_metrics
from rmae.training.metrics import MetricLog, Metrics, MetricWindow
from rmae.training.run_folder import RunFolder


def metrics(update):
    losses = {"loss": 2.0, "pixel_loss": 1.5, "region_loss": None}
    return Metrics(update, 0.5, losses, 0.1, 1e-3, 100.0, 0)


def test_lines_come_back_and_resuming_drops_those_from_after_the_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    log = MetricLog(folder, 0)
    for update in (2, 4, 6):
        log.add(metrics(update).line())
    with folder.metrics.open("a") as file:
        file.write('{"update": 8, "lo')  # a kill in the middle of a line

    log = MetricLog(folder, 4)
    log.add(metrics(6).line())

    assert [line["update"] for line in read_metrics(folder.metrics)] == [2, 4, 6]
    line = json.loads(folder.metrics.read_text().splitlines()[-1])
    assert line["pixel_loss"] == 1.5
    assert line["region_loss"] is None
    assert any(folder.tensorboard.iterdir())


def test_no_file_no_lines(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_a_window_gives_means_and_goes_on_from_saved_sums():
    window = MetricWindow(torch.device("cpu"), (1.0, 1.0, 0.0, 2.0), 1)
    window.add(torch.tensor([3.0, 2.0, 1.0, 0.0]))
    assert window.means() == (2.0, 1.5, 0.5, 1.0)
    assert window.state() == ((4.0, 3.0, 1.0, 2.0), 2)
    assert window.updates_per_s() > 0
    window.restart()
    window.add(torch.ones(4))
    assert window.means() == pytest.approx([1.0] * 4)
