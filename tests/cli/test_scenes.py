"""rmae scenes, and what its page tells people to type."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
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


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two classes of cut-outs, and photographs; not to be changed."""
    folder = tmp_path_factory.mktemp("sources")
    return write_cut_outs(folder / "cut outs", ("ants", "bees")), write_photographs(folder / "photographs")


def write_cut_outs(folder: Path, classes: tuple[str, ...]) -> Path:
    generator = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.zeros((50, 50, 4), dtype=np.uint8)
            pixels[5:45, 5:45] = generator.integers(0, 180, 4) + generator.integers(0, 76, (40, 40, 4))
            pixels[5:45, 5:45, 3] = 255
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def write_photographs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for i in range(4):
        pixels = 60 * i + np.random.default_rng(i).integers(0, 60, (140, 150, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("layout", "make", "task", "side"),
    [("coco", rmae.make_cut_out_scenes, "detect", 128), ("imagenet", rmae.make_cut_out_classes, "knn", 64)],
)
def test_with_cut_outs_it_makes_what_python_makes(
    layout: str,
    make: Callable[..., Path],
    task: str,
    side: int,
    folders: tuple[Path, Path],
    done: Callable[..., str],
    tmp_path: Path,
):
    cut_outs, photographs = folders
    out, numbers = tmp_path / "out", ("--num-train", "4", "--num-val", "3", "--seed", "2", "--num-workers", "2")
    printed = done(
        "scenes", out, "--layout", layout, "--cut-outs", cut_outs, "--photographs", photographs, *numbers,
        "--classes", "bees", "ants", "--min-cut-outs", "30", "--min-colours", "900",
    )  # fmt: skip
    read = rmae.read_cut_outs(cut_outs, photographs, classes=("ants", "bees"))
    assert printed == (
        f"{read}\nmade: {out} (4 pictures to train on, 3 to validate on, {side} x {side} pixels)\n"
        f"next: rmae evaluate {task} scratch --data {out} --size small\n"
    )
    assert files(out) == files(make(tmp_path / "python", read, num_train=4, num_val=3, seed=2, num_workers=0))


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        ("--cut-outs CUT", 2, "--cut-outs goes with --photographs, the folder of pictures to lay them on; give that"),
        ("--photographs PHOTO", 2, "--photographs goes with --cut-outs, the folder of what to compose scenes of; give"),
        ("--classes ants", 2, "--classes goes with --cut-outs, the folder of what to compose scenes of; give that too"),
        ("--min-cut-outs 5", 2, "--min-cut-outs goes with --cut-outs, the folder of what to compose scenes of; give t"),
        ("--num-workers 0", 2, "--num-workers goes with --cut-outs, the folder of what to compose scenes of; give tha"),
        (
            "--cut-outs CUT --photographs PHOTO --by-shape-alone",
            2,
            "--by-shape-alone is for drawn scenes, and with --cut-outs none are drawn; leave one out",
        ),
        ("--cut-outs CUT --photographs none", 1, "the folder of photographs, none, does not exist"),
        ("--cut-outs none --photographs PHOTO", 1, "the folder of cut-outs, none, does not exist"),
        ("--cut-outs PHOTO --photographs PHOTO", 1, "there is no picture in a folder of "),
        ("--cut-outs CUT --photographs EMPTY", 1, "EMPTY has 0 usable photograph(s) in 0 picture file(s), and there"),
        (
            "--cut-outs CUT --photographs PHOTO --classes bee",
            1,
            "CUT has no class 'bee' with pictures in it (did you mean bees?)",
        ),
        ("--cut-outs CUT --photographs PHOTO --min-cut-outs 1", 1, "min_cut_outs is 1; it must be at least 2"),
        ("--cut-outs CUT --photographs PHOTO --num-workers -1", 1, "num_workers is -1; it must be at least 0"),
    ],
)
def test_what_cannot_be_composed_is_one_line(
    flags: str,
    code: int,
    sentence: str,
    folders: tuple[Path, Path],
    complaint: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "empty").mkdir()
    places = {"CUT": str(folders[0]), "PHOTO": str(folders[1]), "EMPTY": str(tmp_path / "empty")}
    for word, place in places.items():
        sentence = sentence.replace(word, place)
    words = [places.get(word, word) for word in flags.split()]
    assert complaint("scenes", tmp_path / "out", *words, code=code).startswith(sentence)
    assert not (tmp_path / "out").exists()


def test_the_commands_of_its_page_are_right(done: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [line.split("  #")[0] for block in blocks for line in block.replace("\\\n", "").splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("rmae scenes ")]
    composed = [command for command in commands if "--cut-outs" in command]
    assert (len(commands), len(composed)) == (6, 2)
    sources = {
        (command[command.index("--cut-outs") + 1], command[command.index("--photographs") + 1]) for command in composed
    }
    for cut_outs, photographs in sources:
        write_cut_outs(tmp_path / cut_outs, ("animals", "food", "household", "plants", "town", "vehicles"))
        write_photographs(tmp_path / photographs)
    for command in commands:
        done(*command, *([] if command in commands[1:2] else ["--num-train", "6", "--num-val", "6"]))
        assert (tmp_path / command[1]).is_dir()
