import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask
from pycocotools.coco import COCO

import rmae
from rmae.data.layouts import list_all_images, list_images
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.scenes.scene import Scene, draw_scene
from rmae.scenes.scene_set import SceneSet
from rmae.scenes.shapes import SHAPES

SIZE_HW = (48, 64)
NUM = {"train": 40, "val": 8}
SEED = 11  # has an empty scene in both


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / "annotations" / f"{name}2017.json").read_text())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def drawn(split: str, index: int) -> Scene:
    """The scene that should stand in the file."""
    scenes = SceneSet(num_train=NUM["train"], num_val=NUM["val"], size_hw=SIZE_HW, seed=SEED, by_shape_alone=False)
    return draw_scene(SIZE_HW, scenes.generator(split, index))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes") / "out"
    found = rmae.make_scenes(out, num_train=NUM["train"], num_val=NUM["val"], size_hw=SIZE_HW, seed=SEED)
    assert found == out
    return out


@pytest.fixture(params=["train", "val"])
def split(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_files_are_those_of_coco(made: Path):
    assert {path.name for path in made.iterdir()} == {
        "annotations", "train2017", "val2017", "panoptic_train2017", "panoptic_val2017", "semantic_train2017",
        "semantic_val2017",
    }  # fmt: skip
    assert len(list_images(made).names) == NUM["train"]
    assert len(list_all_images(made).names) == sum(NUM.values())


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # pycocotools
def test_masks_areas_and_boxes_are_those_of_the_scene(made: Path, split: str, capsys: pytest.CaptureFixture[str]):
    coco = COCO(made / "annotations" / f"instances_{split}2017.json")
    assert len(coco.getImgIds()) == NUM[split]
    for index, image in enumerate(coco.loadImgs(sorted(coco.getImgIds()))):
        scene = drawn(split, index)
        np.testing.assert_array_equal(pixels(made / f"{split}2017" / image["file_name"]), scene.image)
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert [annotation["category_id"] - 1 for annotation in annotations] == scene.classes.tolist()
        for label, annotation in enumerate(annotations):
            expected = scene.label_map == label
            np.testing.assert_array_equal(mask.decode(annotation["segmentation"]), expected)
            rows, columns = np.nonzero(expected)
            assert annotation["area"] == len(rows)
            left, top, width, height = annotation["bbox"]
            assert (left, left + width) == (columns.min(), columns.max() + 1)
            assert (top, top + height) == (rows.min(), rows.max() + 1)
            assert annotation["iscrowd"] == 0


def test_segments_are_the_instances_and_the_ground(made: Path, split: str):
    content = read(made, f"panoptic_{split}")
    instances = read(made, f"instances_{split}")["annotations"]
    assert len(content["annotations"]) == NUM[split]
    for index, annotation in enumerate(content["annotations"]):
        scene = drawn(split, index)
        ids = pixels(made / f"panoptic_{split}2017" / annotation["file_name"]) @ np.array([1, 256, 65536])
        *things, ground = annotation["segments_info"]
        objects = [instance for instance in instances if instance["image_id"] == annotation["image_id"]]
        for label, (thing, instance) in enumerate(zip(things, objects, strict=True)):
            np.testing.assert_array_equal(ids == thing["id"], scene.label_map == label)
            shared = ("category_id", "area", "bbox", "iscrowd")
            assert [thing[key] for key in shared] == [instance[key] for key in shared]
        np.testing.assert_array_equal(ids == ground["id"], scene.label_map == -1)
        assert (ground["category_id"], ground["area"]) == (4, (scene.label_map == -1).sum())
        assert sum(segment["area"] for segment in annotation["segments_info"]) == np.prod(SIZE_HW)


def test_a_byte_a_pixel_tells_the_class(made: Path, split: str):
    for index, path in enumerate(sorted((made / f"semantic_{split}2017").iterdir())):
        scene = drawn(split, index)
        with Image.open(path) as image:
            assert image.mode == "L"
            found = np.asarray(image)
        np.testing.assert_array_equal(found == 0, scene.label_map == -1)
        for label, class_ in enumerate(scene.classes):
            assert (found[scene.label_map == label] == 1 + class_).all()


def test_our_own_readers_find_the_same(made: Path, split: str):
    annotations = made / "annotations"
    instances = CocoInstances(annotations=tuple(str(annotations / f"instances_{s}2017.json") for s in NUM))
    panoptic = CocoPanoptic(
        annotations=str(annotations / f"panoptic_{split}2017.json"), folder=str(made / f"panoptic_{split}2017")
    )
    for index, image in enumerate(read(made, f"panoptic_{split}")["images"]):
        scene, name = drawn(split, index), f"{split}2017/{image['file_name']}"
        found = instances(scene.image, name)
        if len(scene.classes):
            np.testing.assert_array_equal(found, scene.label_map[None])
        else:
            assert len(found) == 0
        ground_last = np.where(scene.label_map == -1, len(scene.classes), scene.label_map)
        np.testing.assert_array_equal(panoptic(scene.image, name), ground_last[None])


def test_some_scenes_are_empty(made: Path, split: str):
    content = read(made, f"instances_{split}")
    assert len(content["images"]) == NUM[split]
    assert 0 < NUM[split] - len({annotation["image_id"] for annotation in content["annotations"]}) < 4


def test_categories_and_origin_are_told(made: Path, split: str):
    instances, panoptic = (read(made, f"{kind}_{split}") for kind in ("instances", "panoptic"))
    assert [(thing["id"], thing["name"]) for thing in instances["categories"]] == [*enumerate(SHAPES, 1)]
    *things, ground = panoptic["categories"]
    assert things == [{**thing, "isthing": 1} for thing in instances["categories"]]
    assert (ground["id"], ground["name"], ground["isthing"]) == (4, "ground", 0)
    info = instances["info"]
    assert (info["contributor"], info["version"], info["seed"], info["split"]) == ("rmae scenes", "1", SEED, split)
    assert instances["images"] == panoptic["images"]


def test_ids_are_unique_over_both_splits(made: Path):
    contents_of = [read(made, f"instances_{split}") for split in NUM]
    for key in ("images", "annotations"):
        ids = [entry["id"] for content in contents_of for entry in content[key]]
        assert len(ids) == len(set(ids))
        assert min(ids) > 0


def test_a_ground_that_is_covered_whole_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    covered = Scene(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.int32), np.array([2]))
    monkeypatch.setattr("rmae.scenes.coco_layout.draw_scene", lambda *_, **__: covered)
    out = rmae.make_scenes(tmp_path / "out", num_train=1, num_val=1, size_hw=(32, 32))
    [annotation] = read(out, "panoptic_val")["annotations"]
    assert [segment["category_id"] for segment in annotation["segments_info"]] == [3]


def test_the_same_arguments_give_the_same_bytes(made: Path, tmp_path: Path):
    again = rmae.make_scenes(tmp_path / "again", num_train=NUM["train"], num_val=NUM["val"], size_hw=SIZE_HW, seed=SEED)
    assert contents(again) == contents(made)


def test_a_seed_draws_what_it_always_did(made: Path):
    """If this is to change, `DRAWING_VERSION` is to go up."""
    digests = [
        hashlib.sha256((made / "annotations" / f"{kind}_{split}2017.json").read_bytes()).hexdigest()[:16]
        for kind in ("instances", "panoptic")
        for split in NUM
    ]
    assert digests == ["d997cd4c0465003c", "8451e0834e15a55a", "0f150da1f0a235e1", "83c3fd250d9a7b45"]


def test_a_smaller_set_is_the_beginning_of_a_larger_one(made: Path, tmp_path: Path):
    small = rmae.make_scenes(tmp_path / "small", num_train=3, num_val=2, size_hw=SIZE_HW, seed=SEED)
    of_small, of_large = contents(small), contents(made)
    pngs = [name for name in of_small if name.endswith(".png")]
    assert len(pngs) == 3 * (3 + 2)
    assert all(of_small[name] == of_large[name] for name in pngs)
    for kind in ("instances", "panoptic"):
        few, many = (read(folder, f"{kind}_val")["annotations"] for folder in (small, made))
        assert few == many[: len(few)]


def test_another_seed_and_the_other_split_are_other_pictures(made: Path, tmp_path: Path):
    other = rmae.make_scenes(tmp_path / "other", num_train=3, num_val=2, size_hw=SIZE_HW, seed=SEED + 1)
    pictures = [path.read_bytes() for folder in (made, other) for s in NUM for path in (folder / f"{s}2017").iterdir()]
    assert len(set(pictures)) == len(pictures) == sum(NUM.values()) + 5


def test_what_is_there_is_not_touched(made: Path):
    before = contents(made)
    with pytest.raises(ValueError, match=r"out is not empty; choose another folder"):
        rmae.make_scenes(made, num_train=1, num_val=1)
    assert contents(made) == before


def test_wrong_numbers_leave_no_folder(tmp_path: Path):
    with pytest.raises(ValueError, match=r"^num_val is 0;"):
        rmae.make_scenes(tmp_path / "out", num_val=0)
    assert list(tmp_path.iterdir()) == []
