from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rmae
from rmae.data.layouts import list_images
from rmae.scenes.scene import draw_single
from rmae.scenes.scene_set import SceneSet


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def make(out: Path, **changes) -> Path:
    return rmae.make_class_scenes(out, **{"num_train": 7, "num_val": 3, "size_hw": (40, 32), "seed": 1, **changes})


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return make(tmp_path / "out")


def test_there_is_a_folder_for_each_class(made: Path):
    numbers = {path.relative_to(made).as_posix(): len(list(path.iterdir())) for path in made.glob("*/*")}
    assert numbers == {
        "train/disc": 3, "train/square": 2, "train/triangle": 2, "val/disc": 1, "val/square": 1, "val/triangle": 1,
    }  # fmt: skip
    assert len(list_images(made).names) == 7


def test_pictures_show_the_shape_of_their_class(made: Path):
    scenes = SceneSet(num_train=7, num_val=3, size_hw=(40, 32), seed=1, by_shape_alone=False)
    with Image.open(made / "train" / "square" / "000000000005.png") as image:
        expected = draw_single("square", (40, 32), scenes.generator("train", 4)).image
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_pictures_depend_on_seed_split_and_index_alone(made: Path, tmp_path: Path):
    of_made = contents(made)
    assert contents(make(tmp_path / "again")) == of_made
    few = contents(make(tmp_path / "few", num_train=3))
    assert all(of_made[name] == few[name] for name in few)
    other = contents(make(tmp_path / "other", seed=2))
    assert len({*of_made.values(), *other.values()}) == 20


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_val": 2}, r"^num_val is 2; it must be at least 3, a picture of each class$"),
        ({"num_train": 0}, r"^num_train is 0; it must lie between 1 and 1,000,000$"),
        ({"size_hw": (8, 8)}, r"^size_hw is \(8, 8\); give height and width"),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict, sentence: str, tmp_path: Path):
    with pytest.raises(ValueError, match=sentence):
        make(tmp_path / "out", **changes)
    assert list(tmp_path.iterdir()) == []
