from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import rmae
from rmae.scenes import cut_out_files
from rmae.scenes.cut_out_files import CutOutFiles, read_cut_outs


def contents(images: tuple[Image.Image, ...]) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_training_and_validation_share_nothing(files: CutOutFiles):
    things, grounds = files.cut_outs.parts, files.photographs.parts
    for train, val in zip((*things["train"], grounds["train"]), (*things["val"], grounds["val"]), strict=True):
        assert contents(train).isdisjoint(contents(val))
        assert min(len(train), len(val)) > 0
        assert len(contents(train) | contents(val)) == (6 if train is grounds["train"] else 8)
    assert files.classes == ("ants", "bees", "cups")


def test_which_part_a_file_is_in_does_not_depend_on_its_name(
    files: CutOutFiles, folders: tuple[Path, Path], tmp_path: Path
):
    for name in files.classes:
        (tmp_path / name).mkdir()
        for i, path in enumerate(sorted((folders[0] / name).rglob("*.png"), reverse=True)):
            (tmp_path / name / f"other{i}.png").write_bytes(path.read_bytes())
    renamed = read_cut_outs(tmp_path, folders[1])
    for split in ("train", "val"):
        for mine, others in zip(files.cut_outs.parts[split], renamed.cut_outs.parts[split], strict=True):
            assert contents(mine) == contents(others)


def test_one_line_says_what_is_used(files: CutOutFiles):
    numbers = [(len(train), len(val)) for train, val in zip(*files.cut_outs.parts.values(), strict=True)]
    [ants, bees, cups] = [f"{train} + {val}" for train, val in numbers]
    train, val = (len(part) for part in files.photographs.parts.values())
    assert str(files) == (
        f"cut-outs to train on + to validate on: ants {ants}, bees {bees}, cups {cups}; left out: nothing; "
        f"photographs: {train} + {val}; left out: nothing"
    )


def test_wrong_folders_and_numbers_are_refused(folders: tuple[Path, Path], tmp_path: Path):
    cut_outs, photographs = folders
    (tmp_path / "file").write_text("")
    for arguments, options, sentence in (
        ((tmp_path / "none", photographs), {}, r"^the folder of cut-outs, .*none, does not exist$"),
        ((cut_outs, tmp_path / "file"), {}, r"^the folder of photographs, .*file, is not a folder$"),
        (folders, {"min_cut_outs": 1}, r"^min_cut_outs is 1; it must be at least 2$"),
        (folders, {"min_colours": 0}, r"^min_colours is 0; it must be at least 1$"),
    ):
        with pytest.raises(ValueError, match=sentence):
            rmae.read_cut_outs(*arguments, **options)


def test_a_class_that_is_called_like_the_ground_is_refused(
    folders: tuple[Path, Path], tmp_path: Path, write_cut_out: Callable[..., Path]
):
    for i in range(2):
        write_cut_out(tmp_path / "ground" / f"{i}.png", i)
    with pytest.raises(
        ValueError, match=r"has a class called ground, which is what lies behind the things; rename its"
    ):
        read_cut_outs(tmp_path, folders[1], min_cut_outs=2)


def test_more_classes_than_a_byte_holds_are_refused(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cut_out_files, "MOST_CLASSES", 2)
    with pytest.raises(ValueError, match=r"has 3 classes; name at most 2 with classes$"):
        read_cut_outs(*folders)
    assert read_cut_outs(*folders, classes=["ants", "cups"]).classes == ("ants", "cups")
