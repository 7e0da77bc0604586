"""What `rmae app` says when it cannot serve, and that it serves and ends."""

import re
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

import rmae
from rmae import cli
from rmae.config import ModelConfig
from started_commands import started


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights."""
    folder = tmp_path_factory.mktemp("saved") / "mine"
    rmae.build_model(ModelConfig(img_size=32, patch_size=8, size="micro", decoder_depth=1)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nowhere"], 1, "rmae: there is nothing at nowhere; give a run"),
        (["SAVED", "--against", "nowhere"], 1, "rmae: there is nothing at nowhere; give a run"),
        (["SAVED", "--port", "70000"], 1, r"rmae: port is 70000; it must be 0 \(any free one\) to 65535"),
        (["SAVED", "--max-megapixels", "0"], 1, "rmae: max_megapixels is 0; it must be above 0"),
        (["SAVED", "--max-upload-mb", "0"], 1, "rmae: max_upload_mb is 0; it must be above 0"),
        (["SAVED", "--regions", "felzenswalb"], 2, "rmae: .*there is no source of regions 'felzenswalb'"),
        (
            ["SAVED", "--regions", "coco-instances --annotations x.json"],
            2,
            "rmae: --regions is coco-instances, which knows pictures by their names, and visitors bring their own; ",
        ),
        (["SAVED", "--regions", "random-masks --store x"], 2, "rmae: --regions is random-masks, which knows pictures"),
        ([], 2, "rmae: .*RUN"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], code: int, sentence: str, saved: Path, capsys):
    words = [str(saved) if word == "SAVED" else word for word in arguments]

    assert cli.run(["app", *words]) == code

    said = capsys.readouterr().err
    assert re.match(sentence, said), said
    assert said.count("\n") == 1


def test_a_model_that_cannot_outline_is_refused(tmp_path: Path, capsys):
    plain = ModelConfig(task="mae", img_size=32, patch_size=8, size="micro", decoder_depth=1)
    rmae.build_model(plain).save_pretrained(tmp_path / "plain")

    assert cli.run(["app", str(tmp_path / "plain")]) == 1
    assert "this model has no region branch" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(saved: Path, number: int):
    command = [
        sys.executable,
        "-W",
        "error::ResourceWarning",
        "-m",
        "rmae",
        "app",
        str(saved),
        "--port",
        "0",
        "--no-open",
    ]
    with started(command) as app:
        assert app.stdout is not None
        assert app.stderr is not None
        found = re.match(r"the app is at (http://127\.0\.0\.1:\d+/) \(Ctrl\+C ends it\)$", app.stdout.readline())
        assert found, app.stderr.read()
        with urlopen(found[1], timeout=20) as page:
            assert b"mine - rmae app" in page.read()
        app.send_signal(number)
        assert app.wait(timeout=30) == 0
        assert app.stdout.read() == "the app has ended\n"
        assert app.stderr.read() == ""
