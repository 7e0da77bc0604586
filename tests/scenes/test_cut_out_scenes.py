"""Data sets of cut-outs: every file of COCO's layout says the same, and is the same each time."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask

import rmae
from rmae.config.segmentation import SegmentConfig
from rmae.evaluation.objects.pictures import read_part
from rmae.evaluation.segmentation.data import open_data
from rmae.regions.coco_instances import CocoInstances
from rmae.scenes.composition import SIDES, Materials, compose_scene
from rmae.scenes.cut_out_files import CutOutFiles
from rmae.scenes.cut_outs import CutOuts
from rmae.scenes.photographs import Photographs
from rmae.scenes.scene import Scene
from rmae.scenes.scene_set import SceneSet

SIZE_HW = (48, 64)
NUM = {"train": 30, "val": 12}
SEED = 5
GROUND_ID = 70 + 256 * 75 + 65536 * 85


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make(out: Path, files: CutOutFiles, **changes) -> Path:
    usual = {"num_train": NUM["train"], "num_val": NUM["val"], "size_hw": SIZE_HW, "seed": SEED, "num_workers": 0}
    return rmae.make_cut_out_scenes(out, files, **{**usual, **changes})


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / "annotations" / f"{name}2017.json").read_text())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def made(files: CutOutFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("scenes") / "out", files)


@pytest.fixture(params=["train", "val"])
def split(request: pytest.FixtureRequest) -> str:
    return request.param


def composed(files: CutOutFiles, split: str, index: int) -> Scene:
    """The scene that should stand in the files."""
    scenes = SceneSet(num_train=NUM["train"], num_val=NUM["val"], size_hw=SIZE_HW, seed=SEED)
    materials = Materials.prepare(files, split, size_hw=SIZE_HW, sides=SIDES)
    return compose_scene(materials, scenes.generator(split, index))


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # pycocotools
def test_all_files_agree_on_every_pixel(made: Path, files: CutOutFiles, split: str):
    instances, panoptic = (read(made, f"{kind}_{split}") for kind in ("instances", "panoptic"))
    assert len(instances["images"]) == len(panoptic["annotations"]) == NUM[split]
    for index, (image, segments) in enumerate(zip(instances["images"], panoptic["annotations"], strict=True)):
        scene = composed(files, split, index)
        objects = [found for found in instances["annotations"] if found["image_id"] == image["id"]]
        assert [found["category_id"] - 1 for found in objects] == scene.classes.tolist()
        ids = pixels(made / f"panoptic_{split}2017" / segments["file_name"]) @ np.array([1, 256, 65536])
        semantic = pixels(made / f"semantic_{split}2017" / segments["file_name"])
        *things, ground = segments["segments_info"]
        for label, (found, thing) in enumerate(zip(objects, things, strict=True)):
            expected = scene.label_map == label
            np.testing.assert_array_equal(mask.decode(found["segmentation"]), expected)
            np.testing.assert_array_equal(ids == thing["id"], expected)
            assert (semantic[expected] == found["category_id"]).all()
            rows, columns = np.nonzero(expected)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert (found["area"], found["bbox"]) == (thing["area"], thing["bbox"]) == (len(rows), box)
            assert thing["category_id"] == found["category_id"]
        np.testing.assert_array_equal(ids == ground["id"], scene.label_map == -1)
        np.testing.assert_array_equal(semantic == 0, scene.label_map == -1)
        assert (ground["id"], ground["category_id"], ground["area"]) == (GROUND_ID, 4, (scene.label_map == -1).sum())
        picture = pixels(made / f"{split}2017" / image["file_name"]).astype(int)
        assert np.abs(picture - scene.image).mean() < 4  # which a JPEG of noise may differ by


def test_categories_and_origin_are_told(made: Path, files: CutOutFiles, split: str):
    instances, panoptic = (read(made, f"{kind}_{split}") for kind in ("instances", "panoptic"))
    assert [(thing["id"], thing["name"]) for thing in instances["categories"]] == [
        (1, "ants"),
        (2, "bees"),
        (3, "cups"),
    ]
    *things, ground = panoptic["categories"]
    assert things == [{**thing, "isthing": 1} for thing in instances["categories"]]
    assert (ground["id"], ground["name"], ground["isthing"]) == (4, "ground", 0)
    info = instances["info"]
    assert (info["version"], info["seed"], info["split"], info["files"]) == ("1", SEED, split, str(files))


def test_our_own_readers_take_it(made: Path, files: CutOutFiles, split: str):
    annotations = tuple(str(made / "annotations" / f"instances_{s}2017.json") for s in NUM)
    instances, data = CocoInstances(annotations=annotations), open_data(SegmentConfig(), made)
    assert data.classes == ("ants", "bees", "cups", "ground")
    labelled = data.training if split == "train" else data.validation
    part, categories = read_part(made, "coco", split)
    assert [category.name for category in categories] == ["ants", "bees", "cups"]
    assert part.objects.is_usable.all()
    for index, name in enumerate(labelled.names):
        scene = composed(files, split, index)
        picture, labels = labelled.read(index)
        np.testing.assert_array_equal(labels, np.append(scene.classes, 3)[scene.label_map])
        found = instances(picture, name)
        assert len(found) == (1 if len(scene.classes) else 0)
        assert all((label_map == scene.label_map).all() for label_map in found)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_same_arguments_give_the_same_bytes(num_workers: int, made: Path, files: CutOutFiles, tmp_path: Path):
    assert contents(make(tmp_path / "again", files, num_workers=num_workers)) == contents(made)


def test_a_smaller_set_is_the_beginning_of_a_larger_one(made: Path, files: CutOutFiles, tmp_path: Path):
    few, many = contents(make(tmp_path / "few", files, num_train=3, num_val=2)), contents(made)
    pictures = [name for name in few if not name.endswith(".json")]
    assert len(pictures) == 3 * (3 + 2)
    assert all(few[name] == many[name] for name in pictures)
    assert read(tmp_path / "few", "instances_val")["images"] == read(made, "instances_val")["images"][:2]


def test_another_seed_gives_other_pictures(made: Path, files: CutOutFiles, tmp_path: Path):
    other = make(tmp_path / "other", files, seed=SEED + 1)
    pictures = [path.read_bytes() for folder in (made, other) for path in folder.glob("*2017/*.jpg")]
    assert len(set(pictures)) == len(pictures) == 2 * sum(NUM.values())


def test_each_part_shows_its_own_things_on_its_own_grounds(tmp_path: Path):
    def square(red: int, blue: int) -> Image.Image:
        return Image.new("RGBa", (40, 40), (red, 0, blue, 255))

    files = CutOutFiles(
        CutOuts(("boxes",), {"train": ((square(200, 0),),), "val": ((square(0, 200),),)}, left_out=Counter()),
        Photographs(
            {s: (Image.new("RGB", (200, 200), (0, green, 0)),) for s, green in (("train", 60), ("val", 180))},
            Counter(),
        ),
    )
    out = make(tmp_path / "out", files)
    for split, channel, green in (("train", 0, 60), ("val", 2, 180)):
        for path in (out / f"{split}2017").iterdir():
            is_thing = pixels(out / f"semantic_{split}2017" / f"{path.stem}.png") == 1
            picture = pixels(path)
            ground = picture[~is_thing].mean(axis=0)
            assert ground[1] == pytest.approx(green, rel=0.4)
            if is_thing.any():
                assert picture[is_thing].mean(axis=0).argmax() == channel


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_train": 0}, r"^num_train is 0; it must lie between 1 and 1,000,000$"),
        ({"size_hw": (16, 64)}, r"^size_hw is \(16, 64\); give height and width"),
        ({"num_workers": -1}, r"^num_workers is -1; it must be at least 0$"),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict, sentence: str, files: CutOutFiles, tmp_path: Path):
    with pytest.raises(ValueError, match=sentence):
        make(tmp_path / "out", files, **changes)
    assert list(tmp_path.iterdir()) == []
