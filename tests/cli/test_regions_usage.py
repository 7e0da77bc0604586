"""What `rmae regions` says of itself, and how it answers flags that make no sense."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

from rmae import cli
from rmae.cli import regions
from rmae.config import DataConfig, LossConfig, ModelConfig, OptimizerConfig, RunConfig
from rmae.region_runs import make_regions, show_regions
from rmae.regions.sources import NamedSource

CONFIGS = (ModelConfig, DataConfig, LossConfig, OptimizerConfig, RunConfig)
KINDS = {str(source.__dataclass_fields__["kind"].default): source for source in get_args(NamedSource)}
Complaint = Callable[..., str]
Captured = pytest.CaptureFixture[str]


# Wrong flags


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--source", "gird"], "--source: there is no source of regions 'gird' (did you mean grid?); see rmae regions"),
        (["--source", "felzenswalb"], "--source: there is no source of regions 'felzenswalb' (did you mean felzensz"),
        (["--source", "xyz"], f"--source: there is no source of regions 'xyz' (there are: {', '.join(KINDS)})"),
        (["--source", ""], "--source: there is no source of regions '' (there are: "),
        (["--source", "none"], "--source: there is no source of regions 'none'"),
        (["--source", "live"], "--source: there is no source of regions 'live'"),
        (["--source", "stored --path a"], "--source: there is no source of regions 'stored'"),
        (
            ["--source", "grid --row 3"],
            "there is no option --row (did you mean --rows?); see rmae regions show --source 'grid --help'",
        ),
        (["--source", "grid 3"], "there is no option 3 (options start with --); see rmae regions show --source 'grid"),
        (
            ["--source", "grid --rows many"],
            "--rows: invalid literal for int() with base 10: 'many'; see rmae regions s",
        ),
        (["--source", "grid --rows 0"], "rows is 0; it must be at least 1"),
        (["--source", "felzenszwalb --sigma -1"], "sigma is -1.0; it must be finite and >= 0 pixels"),
        (["--source", "coco-instances"], "Missing from rmae ... coco-instances: --annotations"),
        (["--source", "coco-panoptic --annotations a"], "annotations 'a' does not end in .json"),
        (["--source", "sam --checkpoint a --iou-threshold 2"], "iou_threshold is 2.0; it must lie between 0 and 1"),
        (
            ["--source", "grid", "--chanels", "1"],
            "there is no option --chanels (did you mean --channels?); see rmae reg",
        ),
        (["--num-workers", "some"], "--num-workers: "),
        (["third"], "there is no option third (options start with --); see rmae regions make --help"),
    ],
)
def test_wrong_flag_of_make_is_answered_in_one_line(
    flags: list[str], sentence: str, photo_folder: Path, tmp_path: Path, complaint: Complaint
):
    said = complaint("regions", "make", photo_folder, tmp_path / "a.regions", *flags, code=2)

    assert said.startswith(sentence)
    assert "; see rmae regions" in said
    assert list(tmp_path.iterdir()) == [photo_folder]


def test_what_a_command_lacks_is_named(tmp_path: Path, complaint: Complaint):
    assert re.match("Missing from rmae regions make: DATA .* STORE ", complaint("regions", "make", code=2))
    assert complaint("regions", "make", tmp_path, code=2).startswith("Missing from rmae regions make: STORE ")
    assert complaint("regions", "show", code=2) == (
        "there is nothing to show; give a store, or a folder of images (--data)"
    )


def test_settings_that_no_image_can_have_are_refused_before_any_is_read(tmp_path: Path, complaint: Complaint):
    said = complaint("regions", "make", tmp_path / "nowhere", tmp_path / "a", "--channels", "0", code=1)
    assert said == (
        "image files are read with 1 channel (grey), 3 (RGB), 4 (RGB and alpha) or as many as a TIFF has bands, not 0; "
        "set channels to one of these"
    )


def test_unknown_commands_of_two_words(complaint: Complaint):
    assert complaint("regions", code=2) == "'regions' is not a command by itself; there are: regions make, regions show"
    assert complaint("regions", "mkae", code=2) == "there is no command 'regions mkae' (did you mean regions make?)"
    assert complaint("regions", "--all", code=2).startswith("'regions' is not a command by itself")


# Help


def help_of(capsys: Captured, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.run(arguments)
    assert stopped.value.code == 0
    return capsys.readouterr().out


def rows(printed: str) -> list[str]:
    """The lines of the boxes, or of the lists where the output has no box characters, without their titles."""
    return re.findall(r"^(?:│ | {2})(\s*[^\s─-].*?|--?\w.*?)[\s│]*$", printed, flags=re.MULTILINE)


def flags_in(printed: str) -> set[str]:
    return {found[1] for row in rows(printed) if (found := re.match(r"--([a-z-]+)", row))}


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_on_the_first_word_lists_the_commands_after_it(flag: str, capsys: Captured):
    assert cli.run(["regions", flag]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^  (\w+ \w+)  \S", printed, flags=re.MULTILINE) == ["regions make", "regions show"]


def test_help_of_make_explains_all_that_can_be_set(capsys: Captured, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = help_of(capsys, "regions", "make", "--help")

    assert printed.startswith("usage: rmae regions make [-h] [OPTIONS] DATA STORE\n")
    settings = {name.replace("_", "-") for name in inspect.signature(make_regions).parameters}
    assert flags_in(printed) == settings - {"data", "store"}
    assert [row.split()[0] for row in rows(printed) if row[0].isupper()] == ["DATA", "STORE"]
    assert [kind for kind in KINDS if not re.search(rf"\b{kind}\b", printed)] == []


def test_help_of_show_explains_all_that_can_be_set(capsys: Captured, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = help_of(capsys, "regions", "show", "--help")

    assert printed.startswith("usage: rmae regions show [-h] [OPTIONS] [STORE]\n")
    settings = {name.replace("_", "-") for name in inspect.signature(show_regions).parameters}
    assert flags_in(printed) == settings - {"regions", "subsets"} | {"source"}
    assert "(default: felzenszwalb)" in printed


@pytest.mark.parametrize("command", ["make", "show"])
@pytest.mark.parametrize("columns", [80, 120])
def test_help_fits_the_terminal(command: str, columns: int, capsys: Captured, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", str(columns))

    assert max(map(len, help_of(capsys, "regions", command, "--help").splitlines())) == columns


@pytest.mark.parametrize("kind", KINDS)
def test_help_of_each_source_explains_its_settings(kind: str, capsys: Captured):
    printed = help_of(capsys, "regions", "show", "--source", f"{kind} --help")

    assert flags_in(printed) == {name.replace("_", "-") for name in KINDS[kind].__dataclass_fields__}
    assert "Source:" not in printed  # that is for those who read the code


@pytest.mark.parametrize("kind", [*CONFIGS, *KINDS.values(), regions.make], ids=lambda kind: kind.__name__)
def test_explanations_are_broken_between_sentences_only(kind: Any):
    # The library that prints the help keeps the line breaks within them.
    source = ast.parse(Path(inspect.getfile(kind)).read_text())
    bodies = [node.body for node in ast.walk(source) if isinstance(node, ast.ClassDef)]
    pairs = [pair for body in bodies for pair in pairwise(body) if isinstance(pair[0], ast.AnnAssign)]
    explanations = [ast.literal_eval(words.value) for _, words in pairs if isinstance(words, ast.Expr)]

    assert len(explanations) >= 2
    begun = [line.strip() for explanation in explanations for line in explanation.splitlines()[1:]]
    assert [line for line in begun if not line[0].isupper()] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["regions", "--help"],
        ["regions", "make", "--help"],
        ["regions", "show", "--help"],
        ["regions", "show", "--source", "slic --help"],
        ["regions", "make", "a", "b", "--source", "gird"],
        ["regions", "show"],
    ],
)
def test_help_and_typing_mistakes_wait_for_nothing_heavy(arguments: list[str]):
    program = (
        "import sys; from rmae.cli import run\n"
        f"try: run({arguments})\n"
        "except SystemExit: pass\n"
        "print(*{'torch', 'numba', 'matplotlib', 'skimage', 'PIL'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "")
