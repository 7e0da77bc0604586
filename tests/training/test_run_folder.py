import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from rmae.data.image_set import ImageSet
from rmae.training.run_folder import RunFolder, alone_in, read_run, resume_run, start_run

RUN = {"format": "run", "version": 1, "data": None, "images": "none"}
IMAGES = ImageSet(Path("/images"), ("a.jpg", "b.jpg"))


def test_a_run_comes_back(config, tmp_path):
    start_run(tmp_path / "run", config, "/images", IMAGES)
    saved = read_run(tmp_path / "run")
    assert saved.config() == config
    assert saved.data == "/images"


def test_a_folder_with_something_in_it_is_refused(config, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is not empty; choose another one \(--out\)"):
        start_run(tmp_path, config, None, IMAGES)
    with pytest.raises(ValueError, match="is not empty"):
        start_run(tmp_path / "notes.txt", config, None, IMAGES)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_in_which_no_weights_can_be_read_is_refused(config, tmp_path):
    folder = tmp_path / "\udcdcbungen" / "run"
    with pytest.raises(ValueError, match=r"the run folder .*\?bungen/run has letters .* not UTF-8, .* \(--out\)"):
        start_run(folder, config, None, IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_resuming_may_change_the_machine_but_not_the_model(config, change, tmp_path):
    start_run(tmp_path, config, None, IMAGES)
    resume_run(tmp_path, change(config, data={"num_workers": 2}, optimizer={"updates": 99}), None, IMAGES)
    assert read_run(tmp_path).config().optimizer.updates == 99
    with pytest.raises(ValueError, match=r"has model\.mask_ratio 0\.75, not 0\.5; a resumed run cannot change it"):
        resume_run(tmp_path, replace(config, model=replace(config.model, mask_ratio=0.5)), None, IMAGES)
    with pytest.raises(ValueError, match=r"has optimizer\.batch_size 8, not 4"):
        resume_run(tmp_path, change(config, optimizer={"batch_size": 4}), None, IMAGES)


def test_resuming_on_other_images_is_refused(config, tmp_path):
    start_run(tmp_path, config, "/images", IMAGES)
    moved = IMAGES._replace(root=Path("/elsewhere"))
    resume_run(tmp_path, config, "/elsewhere", moved)
    assert read_run(tmp_path).data == "/elsewhere"
    for names in (("a.jpg",), ("a.jpg", "c.jpg")):
        with pytest.raises(
            ValueError, match=r"was trained on other images \(2 images, sha256 \w+\) than those there now"
        ):
            resume_run(tmp_path, config, "/images", IMAGES._replace(names=names))


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (None, "there is no run in"),
        ("{", "does not describe a run"),
        ("[]", "does not describe a run"),
        ('{"format": "model"}', "does not describe a run.*it is a model"),
        (json.dumps({"format": "run", "version": 9, "data": None, "config": {}}), "of format version 9; .* version 1"),
        (json.dumps({"format": "run", "version": 1, "config": {}}), "it lacks config, data or images"),
        (json.dumps(RUN | {"config": {"name": 3}}), "config.json .*name"),
        (json.dumps(RUN | {"config": {"data": {"regions": "my.source"}}}), r"source of the user's own \(my\.source\)"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, contents, sentence):
    if contents is not None:
        RunFolder(tmp_path).config.write_text(contents)
    with pytest.raises(ValueError, match=sentence):
        read_run(tmp_path).config()


def test_a_run_of_before_its_images_were_listed_is_listed_when_it_goes_on(config, tmp_path):
    start_run(tmp_path, config, "/images", IMAGES)
    names = RunFolder(tmp_path).image_names
    assert names.read_text() == '"a.jpg"\n"b.jpg"\n'
    names.unlink()
    resume_run(tmp_path, config, "/images", IMAGES)
    assert names.read_text() == '"a.jpg"\n"b.jpg"\n'


def test_a_start_that_was_killed_before_there_was_a_run_does_not_bar_the_next(config, tmp_path):
    (tmp_path / ".config.json.partial").write_text('{"format": "r')
    start_run(tmp_path, config, None, IMAGES)
    assert read_run(tmp_path).config() == config


def test_one_process_trains_in_a_folder_at_a_time(tmp_path):
    with alone_in(tmp_path), pytest.raises(ValueError, match=r"another process works in .*; wait until it ends, or"):
        alone_in(tmp_path).__enter__()
    with alone_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def begin_and_wait(began, end) -> None:
    began.set()
    end.wait()


def test_a_worker_does_not_keep_a_folder_of_which_its_parent_was_killed(tmp_path):
    context = multiprocessing.get_context("fork")
    began, end = context.Event(), context.Event()
    worker = context.Process(target=begin_and_wait, args=(began, end), daemon=True)
    with alone_in(tmp_path):
        worker.start()
        began.wait()
    with alone_in(tmp_path):  # its parent has let go of it, without saying so to the lock
        assert worker.is_alive()
    end.set()
    worker.join()
