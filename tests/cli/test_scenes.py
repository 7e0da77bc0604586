"""rmae scenes, and what its page tells people to type."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import rmae

PAGE = Path(__file__).parents[2] / "docs" / "scenes.md"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("layout", "make", "task", "side"),
    [("coco", rmae.make_scenes, "detect", 128), ("imagenet", rmae.make_class_scenes, "knn", 64)],
)
def test_it_makes_what_python_makes(
    layout: str, make: Callable[..., Path], task: str, side: int, done: Callable[..., str], tmp_path: Path
):
    out = tmp_path / "my scenes"
    printed = done("scenes", out, "--layout", layout, "--num-train", "4", "--num-val", "3", "--seed", "2")
    assert printed == (
        f"made: {out} (4 pictures to train on, 3 to validate on, {side} x {side} pixels)\n"
        f"next: rmae evaluate {task} scratch --data '{out}' --size small\n"
    )
    assert files(out) == files(make(tmp_path / "python", num_train=4, num_val=3, seed=2))


def test_the_size_can_be_chosen(done: Callable[..., str], tmp_path: Path):
    done("scenes", tmp_path / "out", "--num-train", "1", "--num-val", "1", "--img-size", "48")
    with Image.open(tmp_path / "out" / "train2017" / "000000000001.png") as image:
        assert image.size == (48, 48)


def test_what_cannot_be_made_is_one_line(complaint: Callable[..., str], tmp_path: Path):
    (tmp_path / "mine").write_text("")
    out = tmp_path / "out"
    assert complaint("scenes", tmp_path, code=1) == (
        f"{tmp_path} is not empty; choose another folder for the scenes, or delete this one"
    )
    assert complaint("scenes", tmp_path / "mine", code=1).endswith("mine is a file; choose a folder for the scenes")
    assert complaint("scenes", out, "--num-val", "0", code=1).startswith("num_val is 0; it must lie between 1 and")
    assert complaint("scenes", out, "--img-size", "16", code=1).startswith("size_hw is (16, 16); give height and")
    assert complaint("scenes", out, "--seed", "-1", code=1) == "seed is -1; it must be at least 0"
    assert complaint("scenes", code=2).startswith("Missing from rmae scenes: OUT ")
    assert complaint("scenes", out, "--layout", "voc", code=2).startswith(
        "invalid choice 'voc' for argument '--layout'"
    )
    assert not out.exists()


def test_the_commands_of_its_page_are_right(done: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [line.split("  #")[0] for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("rmae scenes ")]
    assert len(commands) == 4
    for command in commands:
        done(*command, *([] if "--num-train" in command else ["--num-train", "3", "--num-val", "3"]))
        assert (tmp_path / command[1]).is_dir()
