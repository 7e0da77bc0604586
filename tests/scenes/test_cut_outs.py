from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.scenes.cut_outs import CutOuts, in_words, read_class_folders

Write = Callable[..., Path]


def read(folder: Path, **changes) -> CutOuts:
    return read_class_folders(folder, **{"classes": None, "min_cut_outs": 2, "min_colours": 1000, **changes})


def pixels(found: CutOuts) -> list[np.ndarray]:
    """All cut-outs, (h, w, 4)."""
    return [np.asarray(image) for part in found.parts.values() for of_class in part for image in of_class]


@pytest.fixture
def things(tmp_path: Path, write_cut_out: Write) -> Path:
    """Two usable cut-outs of one class, to which others are added."""
    for i in range(2):
        write_cut_out(tmp_path / "things" / f"{i}.png", i)
    return tmp_path


def test_cut_outs_are_cropped_to_what_can_be_seen(things: Path):
    found = read(things)
    assert (found.classes, found.left_out) == (("things",), Counter())
    for image in pixels(found):
        assert image.shape == (40, 48, 4)
        assert (image[..., 3] == 255).all()
    assert [len(found.parts[split][0]) for split in ("train", "val")] == [1, 1]


def test_soft_edges_are_kept_and_colours_multiplied_by_alpha(things: Path):
    soft = np.full((50, 60, 4), 200, dtype=np.uint8)
    soft[..., 3] = 0
    soft[5:45, 5:55] = np.random.default_rng(0).integers(128, 256, (40, 50, 4))
    soft[4, 10:20, 3] = 51  # a fifth
    Image.fromarray(soft).save(things / "things" / "soft.png")
    [image] = [image for image in pixels(read(things)) if image.shape == (41, 50, 4)]
    np.testing.assert_array_equal(image[0, 5:15], [[40, 40, 40, 51]] * 10)
    np.testing.assert_array_equal(image[0, :5], 0)
    assert (image[..., :3] <= image[..., 3:]).all()


def test_large_cut_outs_are_reduced(things: Path, write_cut_out: Write):
    write_cut_out(things / "things" / "large.png", 5, size_hw=(600, 300))
    assert (512, 256, 4) in {image.shape for image in pixels(read(things))}


def drawing(path: Path) -> None:
    image = np.zeros((60, 60, 4), dtype=np.uint8)
    image[10:50, 10:50] = 255
    image[10:50, 10:50, 0] = np.arange(40) // 2
    image[:, :, 1] = np.arange(60)[:, None]  # mostly where nothing is seen
    image[:10, :, :3] = np.random.default_rng(0).integers(0, 256, (10, 60, 3))
    Image.fromarray(image).save(path)


def few_colours_less(path: Path) -> None:
    image = np.zeros((50, 50, 4), dtype=np.uint8)
    image[:27, :37] = np.random.default_rng(0).integers(0, 256, (27, 37, 1))  # 999 pixels
    image[:27, :37, 3] = 255
    Image.fromarray(image).save(path)


def opaque(path: Path, alpha: int = 255) -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 50, 4), dtype=np.uint8)
    image[..., 3] = alpha
    Image.fromarray(image).save(path)


def small(path: Path) -> None:
    image = np.zeros((80, 80, 4), dtype=np.uint8)
    image[10:70, 10:70] = np.random.default_rng(0).integers(0, 128, (60, 60, 4))  # faint
    image[20:51, 20:51] = np.random.default_rng(1).integers(0, 256, (31, 31, 4))
    image[20:51, 20:51, 3] = 255
    Image.fromarray(image).save(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (drawing, "drawn (fewer than 1,000 colours)"),
        (few_colours_less, "drawn (fewer than 1,000 colours)"),
        (opaque, "without transparency"),
        (lambda path: Image.effect_noise((60, 60), 90).save(path), "without transparency"),
        (lambda path: opaque(path, alpha=127), "wholly transparent"),
        (small, "smaller than 32 pixels"),
        (lambda path: path.write_text("words"), "unreadable"),
        (lambda path: path.write_bytes((path.parent / "0.png").read_bytes()), "the same as another"),
        (
            lambda path: Image.open(path.parent / "0.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path),
            "the same as another",
        ),
    ],
)
def test_what_is_no_cut_out_is_left_out_and_counted(make: Callable[[Path], None], reason: str, things: Path):
    make(things / "things" / "other.png")
    found = read(things)
    assert found.left_out == Counter({reason: 1})
    assert len(pixels(found)) == 2


def test_how_many_colours_a_drawing_has_can_be_chosen(things: Path):
    drawing(things / "things" / "drawing.png")
    assert [len(pixels(read(things, min_colours=number))) for number in (1, 800, 801)] == [3, 3, 2]


def test_palettes_with_transparency_count(things: Path):
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(np.random.default_rng(1).integers(1, 256, (50, 60), dtype=np.uint8))
    image.paste(0, (0, 0, 60, 10))
    image.putpalette(colours.tobytes())
    image.save(things / "things" / "palette.gif", transparency=0)
    assert (40, 60, 4) in {image.shape for image in pixels(read(things, min_colours=200))}
    assert read(things).left_out == Counter({"drawn (fewer than 1,000 colours)": 1})


def test_a_class_is_the_first_folder_and_files_beside_have_none(things: Path, write_cut_out: Write):
    write_cut_out(things / "more" / "deep" / "er" / "1.png", 11)
    write_cut_out(things / "more" / "2.png", 12)
    write_cut_out(things / "beside.png", 13)
    found = read(things)
    assert found.classes == ("more", "things")
    assert found.left_out == Counter({"in no folder of a class": 1})


def test_small_classes_are_left_out_unless_they_are_named(things: Path, write_cut_out: Write):
    for i in range(3):
        write_cut_out(things / "more" / f"{i}.png", 20 + i)
    found = read(things, min_cut_outs=3)
    assert found.classes == ("more",)
    assert found.left_out == Counter({"in classes of fewer than 3 (things)": 2})
    assert read(things, min_cut_outs=3, classes=("things", "more", "things")).classes == ("more", "things")
    assert read(things, min_cut_outs=3, classes=("things",)).classes == ("things",)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": ("thing",)}, r"has no class 'thing' with pictures in it \(did you mean things\?\)$"),
        ({"classes": ("dogs",)}, r"has no class 'dogs' with pictures in it \(there are: single, things\)$"),
        (
            {"classes": ("single",)},
            r"^the class single has 1 usable cut-out\(s\) of 2 file\(s\), and there must be at least 2, one to train "
            r"on and one to validate on; left out: 1 unreadable$",
        ),
        (
            {"min_cut_outs": 3},
            r"^no class in .* has 3 usable cut-outs; lower min_cut_outs or choose another folder; left out: 1 unreadab",
        ),
    ],
)
def test_what_cannot_be_had_is_said(changes: dict, sentence: str, things: Path, write_cut_out: Write):
    write_cut_out(things / "single" / "1.png", 30)
    (things / "single" / "2.png").write_text("words")
    with pytest.raises(ValueError, match=sentence):
        read(things, **changes)


def test_a_folder_without_folders_of_pictures_is_refused(tmp_path: Path, write_cut_out: Write):
    write_cut_out(tmp_path / "1.png", 0)
    (tmp_path / "sounds").mkdir()
    with pytest.raises(
        ValueError, match=r"^there is no picture in a folder of .*; give a folder with a folder for each"
    ):
        read(tmp_path)


def test_reasons_are_told_by_frequency():
    assert in_words(Counter({"unreadable": 1, "drawn": 3})) == "3 drawn, 1 unreadable"
    assert in_words(Counter()) == "nothing"
