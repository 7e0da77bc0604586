from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rmae
from rmae.evaluation.classification.data import list_classes
from rmae.scenes.composition import SINGLE_SIDES, Materials, compose_single
from rmae.scenes.cut_out_files import CutOutFiles
from rmae.scenes.scene_set import SceneSet


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jpg")}


def make(out: Path, files: CutOutFiles, **changes) -> Path:
    usual = {"num_train": 7, "num_val": 3, "size_hw": (40, 32), "seed": 1, "num_workers": 0}
    return rmae.make_cut_out_classes(out, files, **{**usual, **changes})


@pytest.fixture
def made(files: CutOutFiles, tmp_path: Path) -> Path:
    return make(tmp_path / "out", files)


def test_there_is_a_folder_for_each_class_in_turn(made: Path):
    numbers = {path.relative_to(made).as_posix(): len(list(path.iterdir())) for path in made.glob("*/*")}
    assert numbers == {"train/ants": 3, "train/bees": 2, "train/cups": 2, "val/ants": 1, "val/bees": 1, "val/cups": 1}
    data = list_classes(made)
    assert data.classes == ("ants", "bees", "cups")


def test_pictures_show_a_thing_of_their_class(made: Path, files: CutOutFiles):
    scenes = SceneSet(num_train=7, num_val=3, size_hw=(40, 32), seed=1)
    materials = Materials.prepare(files, "train", size_hw=(40, 32), sides=SINGLE_SIDES)
    expected = compose_single(1, materials, scenes.generator("train", 4)).image
    with Image.open(made / "train" / "bees" / "000000000005.jpg") as image:
        assert np.abs(np.asarray(image).astype(int) - expected).mean() < 4


def test_pictures_depend_on_seed_split_and_index_alone(made: Path, files: CutOutFiles, tmp_path: Path):
    of_made = contents(made)
    assert contents(make(tmp_path / "again", files, num_workers=2)) == of_made
    few = contents(make(tmp_path / "few", files, num_train=3))
    assert all(of_made[name] == few[name] for name in few)
    other = contents(make(tmp_path / "other", files, seed=2))
    assert len({*of_made.values(), *other.values()}) == 20


def test_too_few_pictures_are_refused(files: CutOutFiles, tmp_path: Path):
    with pytest.raises(ValueError, match=r"^num_val is 2; it must be at least 3, a picture of each class$"):
        make(tmp_path / "out", files, num_val=2)
    assert list(tmp_path.iterdir()) == []
