"""What the README tells people to type works."""

import re
import shlex
from pathlib import Path

import pytest

from rmae import cli

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
LINES = [line.split("#")[0].strip() for language, block in BLOCKS if not language for line in block.splitlines()]


def test_make_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = [line.removeprefix("make ") for line in LINES if line.startswith("make ")]
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("rmae ")])
def test_commands_are_understood(line, tmp_path, monkeypatch, capsys):
    """All flags parse; what is missing in an empty folder is the data or the run."""
    monkeypatch.chdir(tmp_path)
    code = cli.run(shlex.split(line)[1:])
    said = capsys.readouterr()
    if line == "rmae presets":
        assert code == 0
        assert "rmae-reference-code       113,737,728 parameters" in said.out
    else:
        assert code == 1
        assert re.search(r"^rmae: (the data folder .* does not exist|there is no run in )", said.err)


@pytest.mark.slow
def test_the_python_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [example] = [block for language, block in BLOCKS if language == "python"]
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["run"] == Path("runs/mine")
    assert names["model"].config.mask_ratio == 0.6
    assert names["vit"] is names["model"].encoder


def test_the_picture_is_there():
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert (ROOT / picture).stat().st_size > 10_000
