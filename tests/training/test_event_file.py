"""What TensorBoard reads of a run."""

import shutil
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rmae.training.event_file import EventFile


def read(folder: Path) -> list[tuple[int, float]]:
    """Steps and losses as TensorBoard finds them."""
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return [(event.step, event.value) for event in accumulator.Scalars("loss")]


def test_tensorboard_reads_it_at_once(tmp_path: Path):
    events = EventFile(tmp_path / "tensorboard", 1)
    events.add(2, {"loss": 0.5, "lr": 0.1})
    events.add(4, {"loss": 0.25})
    assert read(tmp_path / "tensorboard") == [(2, 0.5), (4, 0.25)]


@pytest.mark.parametrize("seconds_later", [100, -100_000])
def test_what_comes_after_the_checkpoint_is_taken_back_whatever_the_clock_says(
    seconds_later: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = EventFile(tmp_path, 1)
    for step in (2, 4, 6):
        first.add(step, {"loss": float(step)})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds_later)
    EventFile(tmp_path, 5).add(6, {"loss": 7.0})
    EventFile(tmp_path, 7).add(8, {"loss": 8.0})
    assert read(tmp_path) == [(2, 2.0), (4, 4.0), (6, 7.0), (8, 8.0)]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_is_cleared_meanwhile_is_made_again(tmp_path: Path):
    events = EventFile(tmp_path / "tensorboard", 1)
    shutil.rmtree(tmp_path / "tensorboard")
    events.add(2, {"loss": 0.5})
    assert read(tmp_path / "tensorboard") == [(2, 0.5)]
